-- Tells of what a process leaves alone, and gives what others do. KEYS: hints.
-- ARGV: clock, process, then two for each: name, microseconds for which it holds. Gives {name, microseconds left, …}.
local hints, now, process = KEYS[1], clock(ARGV[1]), ARGV[2]
for index = 3, #ARGV, 2 do
  redis.call('ZADD', hints, whole(now + tonumber(ARGV[index + 1])), process .. ' ' .. ARGV[index])
end
redis.call('ZREMRANGEBYSCORE', hints, '-inf', whole(now))
redis.call('PEXPIRE', hints, 60000)
local reply = {}
local live = redis.call('ZRANGE', hints, 0, -1, 'WITHSCORES')
for index = 1, #live, 2 do
  local owner, name = live[index]:match('^(%S+) (.*)$')
  if owner ~= process then
    reply[#reply + 1] = name
    reply[#reply + 1] = tonumber(live[index + 1]) - now
  end
end
return reply
