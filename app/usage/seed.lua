-- Takes over what the ledger says, once for each budget. KEYS: the sign that the ledger has been read, then a budget each.
-- ARGV: '1' if it has been read whole, then two a budget: spent, milliseconds to keep it. Gives whether the sign stood.
local stood = redis.call('EXISTS', KEYS[1])
for number = 1, #KEYS - 1 do
  local key = KEYS[number + 1]
  -- Once the sign stands, what a budget has spent is charged here: only one that nobody has asked yet is to learn it.
  local is_new = stood == 1 and redis.call('EXISTS', key) == 0
  if redis.call('HSETNX', key, 'read', '1') == 1 and (stood == 0 or is_new) then
    redis.call('HINCRBY', key, 'spent', ARGV[2 * number])
  end
  redis.call('PEXPIRE', key, ARGV[2 * number + 1])
end
if ARGV[1] == '1' then redis.call('SET', KEYS[1], '1', 'PX', 34560000000) end
return {stood}
