-- Reserves in all budgets, or in none. KEYS: members, the sign that the ledger has been read, then one a budget: a hash
-- of what is `spent` and, by process, what is reserved.
-- ARGV: clock, member, 'reserve' | 'look', then three a budget: amount, asked, milliseconds to keep it.
-- Gives {1 | 0, spent, reserved, …}; {-1} to a process that is not known; {-2} where the ledger is still to be read.
local members, now, member = KEYS[1], clock(ARGV[1]), ARGV[2]
if not is_live(members, member, now) then return {-1} end
if redis.call('PEXPIRE', KEYS[2], 34560000000) == 0 then return {-2} end

local reply, fits = {1}, true
for number = 1, #KEYS - 2 do
  local key = KEYS[number + 2]
  local spent, reserved = {0, 0}, {0, 0}
  local all = redis.call('HGETALL', key)
  for index = 1, #all, 2 do
    if all[index] == 'spent' then
      spent = money(all[index + 1])
    elseif all[index] ~= 'read' then
      if is_live(members, all[index], now) then
        reserved = plus(reserved, money(all[index + 1]))
      else
        redis.call('HDEL', key, all[index])
      end
    end
  end
  local asked = plus(plus(spent, reserved), money(ARGV[3 * number + 2]))
  if is_more(asked, money(ARGV[3 * number + 1])) then fits = false end
  reply[#reply + 1], reply[#reply + 2] = text_of(spent), text_of(reserved)
end

if ARGV[3] == 'look' then return reply end
if not fits then
  reply[1] = 0
  return reply
end
for number = 1, #KEYS - 2 do
  redis.call('HINCRBY', KEYS[number + 2], member, ARGV[3 * number + 2])
  redis.call('PEXPIRE', KEYS[number + 2], ARGV[3 * number + 3])
end
return reply
