-- KEYS: members, a mark that this process leaves. ARGV: clock, member, lease in microseconds, 'join' | 'stay' | 'leave'.
-- Gives {time, how many live, 1 if the mark was there}, or {-1} to a member that is to stay and has been forgotten.
local members, mark, now = KEYS[1], KEYS[2], clock(ARGV[1])
local member, lease, what = ARGV[2], tonumber(ARGV[3]), ARGV[4]
if what == 'stay' and not is_live(members, member, now) then return {-1} end
redis.call('ZREMRANGEBYSCORE', members, '-inf', whole(now))
local known = redis.call('EXISTS', mark)
if what == 'leave' then
  redis.call('ZREM', members, member)
else
  redis.call('ZADD', members, whole(now + lease), member)
  redis.call('PEXPIRE', members, 3600000)
  redis.call('SET', mark, 1, 'PX', 3600000)
end
return {now, redis.call('ZCARD', members), known}
