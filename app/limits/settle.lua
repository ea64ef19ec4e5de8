-- Settles a batch. KEYS: outbox, then two for each meter: sums, ticks.
-- ARGV: clock, the batch's number, then for each meter: length in microseconds (0: a gauge), amount taken, real amount,
-- tick (-1: no slot holds it), when it was taken, member. The two keys share them: three stand for each key.
local outbox, now, batch = KEYS[1], clock(ARGV[1]), tonumber(ARGV[2])
if (tonumber(redis.call('GET', outbox)) or 0) >= batch then return {} end
redis.call('SET', outbox, batch, 'PX', 3600000)
for number = 1, (#KEYS - 1) / 2 do
  local first = 6 * number - 3
  local each = meter(KEYS[2 * number], KEYS[2 * number + 1], tonumber(ARGV[first]), now, ARGV[first + 5])
  each:settle(tonumber(ARGV[first + 1]), tonumber(ARGV[first + 2]), tonumber(ARGV[first + 3]), tonumber(ARGV[first + 4]))
end
return {}
