-- Microseconds since 1970 by the server's clock, so that all processes see one time. Tests give another one.
local function clock(given)
  if given ~= '' then return tonumber(given) end
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- Lua would write large numbers as 1.7e+15.
local function whole(number)
  return string.format('%.0f', number)
end

-- Whether a process has renewed its lease in time.
local function is_live(members, member, now)
  local ends = redis.call('ZSCORE', members, member)
  return ends and tonumber(ends) > now
end
