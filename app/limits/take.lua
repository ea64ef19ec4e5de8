-- Takes from all limits, or from none. KEYS: members, then two a limit: sums, ticks.
-- ARGV: clock, member, 'take' | 'look', then four a limit: length in microseconds (0: a gauge), amount, capacity,
-- 1 if it is to be counted (0: it stands here twice).
-- Gives {1, time} and three a limit: tick, used, empty at; or, where one has no room,
-- {0, time, its number, when it has room or -1} and the same three; or {-1} to a process that is not known.
local members, now, member = KEYS[1], clock(ARGV[1]), ARGV[2]
if not is_live(members, member, now) then return {-1} end

local meters, count_of = {}, (#ARGV - 3) / 4
for number = 1, count_of do
  local sums = KEYS[2 * number]
  local length = tonumber(ARGV[4 * number])
  meters[number] = meter(sums, KEYS[2 * number + 1], length, now, member)
  if length == 0 then count(meters[number], members) end
end

local function answer(head, ticks)
  for number = 1, count_of do
    head[#head + 1] = ticks[number] or 0
    head[#head + 1] = meters[number].used
    head[#head + 1] = meters[number]:empty_at()
  end
  return head
end

if ARGV[3] == 'look' then return answer({1, now}, {}) end

local last, free_at = nil, now
for number = 1, count_of do
  local at = meters[number]:room_at(tonumber(ARGV[4 * number + 1]), tonumber(ARGV[4 * number + 2]))
  if at == FOREVER then return answer({0, now, number, FOREVER}, {}) end
  if at > free_at then last, free_at = number, at end
end
if last then return answer({0, now, last, free_at}, {}) end

local ticks = {}
for number = 1, count_of do
  if ARGV[4 * number + 3] == '1' then ticks[number] = meters[number]:take(tonumber(ARGV[4 * number + 1])) end
end
return answer({1, now}, ticks)
