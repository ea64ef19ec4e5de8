-- Meters as `windows.py` and `gauge.py` have them, in whole microseconds.
--
-- A window is a hash (`used`, and each slot's tick with its sum) and a list of the ticks that there
-- are, the oldest first. A gauge is a hash of what each process has under way.
local PRECISION = 1200
local BUSY_HINT = 1000000
local GAUGE_TTL = 86400000
local FOREVER = -1

local function take_off(window)
  local oldest = math.floor(window.now / window.slot) - PRECISION
  local tick = tonumber(redis.call('LINDEX', window.ticks, 0))
  local changed = false
  while tick and tick < oldest do
    window.used = window.used - tonumber(redis.call('HGET', window.sums, whole(tick)))
    redis.call('HDEL', window.sums, whole(tick))
    redis.call('LPOP', window.ticks)
    tick, changed = tonumber(redis.call('LINDEX', window.ticks, 0)), true
  end
  if changed then redis.call('HSET', window.sums, 'used', whole(window.used)) end
end

local function leaving(window, tick)
  return (tick + PRECISION + 1) * window.slot
end

local Window = {}
Window.__index = Window

function Window:room_at(amount, capacity)
  if amount > capacity then return FOREVER end
  local excess = self.used + amount - capacity
  if excess <= 0 or amount == 0 then return self.now end
  local index, tick = 0, nil
  while excess > 0 do
    tick = redis.call('LINDEX', self.ticks, index)
    excess = excess - tonumber(redis.call('HGET', self.sums, tick))
    index = index + 1
  end
  return leaving(self, tonumber(tick))
end

function Window:take(amount)
  local tick = math.floor(self.now / self.slot)
  local last = tonumber(redis.call('LINDEX', self.ticks, -1))
  if not last or last < tick then
    redis.call('RPUSH', self.ticks, whole(tick))
    last = tick
  end
  redis.call('HINCRBY', self.sums, whole(last), whole(amount))
  redis.call('HINCRBY', self.sums, 'used', whole(amount))
  self.used = self.used + amount
  local ttl = whole(self.length / 1000 + 60000)
  redis.call('PEXPIRE', self.sums, ttl)
  redis.call('PEXPIRE', self.ticks, ttl)
  return last
end

function Window:settle(amount, real, tick, at)
  local change = math.max(real, 0) - amount
  if tick >= 0 and self.now - at < self.length and redis.call('HEXISTS', self.sums, whole(tick)) == 1 then
    redis.call('HINCRBY', self.sums, whole(tick), whole(change))
    redis.call('HINCRBY', self.sums, 'used', whole(change))
  elseif change > 0 then
    self:take(change)
  end
end

function Window:empty_at()
  local index = -1
  local tick = redis.call('LINDEX', self.ticks, index)
  while tick do
    if tonumber(redis.call('HGET', self.sums, tick)) ~= 0 then return leaving(self, tonumber(tick)) end
    index = index - 1
    tick = redis.call('LINDEX', self.ticks, index)
  end
  return self.now
end

local Gauge = {}
Gauge.__index = Gauge

function Gauge:room_at(amount, capacity)
  if amount > capacity then return FOREVER end
  if self.used + amount <= capacity then return self.now end
  return self.now + BUSY_HINT
end

function Gauge:take(amount)
  redis.call('HINCRBY', self.sums, self.member, whole(amount))
  redis.call('PEXPIRE', self.sums, GAUGE_TTL)
  self.used = self.used + amount
  return 0
end

-- `real` is what is under way from now on: none, or what a process brings with it.
function Gauge:settle(amount, real)
  if real > amount then
    self:take(real - amount)
  elseif redis.call('HEXISTS', self.sums, self.member) == 1 then
    local left = redis.call('HINCRBY', self.sums, self.member, whole(real - amount))
    if left <= 0 then redis.call('HDEL', self.sums, self.member) end
  end
end

function Gauge:empty_at()
  if self.used > 0 then return self.now + BUSY_HINT end
  return self.now
end

local function meter(sums, ticks, length, now, member)
  if length > 0 then
    local used = tonumber(redis.call('HGET', sums, 'used')) or 0
    local window = {sums = sums, ticks = ticks, length = length, slot = length / PRECISION, now = now, used = used}
    take_off(window)
    return setmetatable(window, Window)
  end
  return setmetatable({sums = sums, now = now, member = member, used = 0}, Gauge)
end

-- Counts what live processes have under way, and forgets the others.
local function count(gauge, members)
  local all = redis.call('HGETALL', gauge.sums)
  for index = 1, #all, 2 do
    if is_live(members, all[index], gauge.now) then
      gauge.used = gauge.used + tonumber(all[index + 1])
    else
      redis.call('HDEL', gauge.sums, all[index])
    end
  end
end
