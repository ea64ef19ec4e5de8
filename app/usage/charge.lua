-- Settles a batch. KEYS: outbox, then a budget for each settlement.
-- ARGV: clock, the batch's number, then for each: member, what is no longer reserved (negative: what is from now on),
-- what was spent, milliseconds to keep it. Gives what is spent of each, then.
local outbox, batch = KEYS[1], tonumber(ARGV[2])
if (tonumber(redis.call('GET', outbox)) or 0) >= batch then return {} end
redis.call('SET', outbox, batch, 'PX', 3600000)
local reply = {}
for number = 1, #KEYS - 1 do
  local key, first = KEYS[number + 1], 4 * number - 1
  local member, freed, spent = ARGV[first], ARGV[first + 1], ARGV[first + 2]
  if freed:sub(1, 1) == '-' then
    redis.call('HINCRBY', key, member, freed:sub(2))
  elseif freed ~= '0' and redis.call('HEXISTS', key, member) == 1 then
    redis.call('HINCRBY', key, member, '-' .. freed)
    local left = redis.call('HGET', key, member)
    if left == '0' or left:sub(1, 1) == '-' then redis.call('HDEL', key, member) end
  end
  redis.call('HINCRBY', key, 'spent', spent)
  redis.call('PEXPIRE', key, ARGV[first + 3])
  reply[number] = redis.call('HGET', key, 'spent')
end
return reply
