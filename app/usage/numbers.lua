-- Money in nano-dollars outgrows what a Lua number holds exactly (2^53: nine million dollars). So amounts are
-- compared and added in two parts, billions and the rest; the server's own integers, of 64 bits, keep them.
local PART = 1000000000

local function money(text)
  if not text or text:sub(1, 1) == '-' then return {0, 0} end
  return {tonumber(text:sub(1, -10)) or 0, tonumber(text:sub(-9))}
end

local function plus(one, other)
  local rest = one[2] + other[2]
  local over = rest >= PART and 1 or 0
  return {one[1] + other[1] + over, rest - over * PART}
end

local function is_more(one, other)
  if one[1] ~= other[1] then return one[1] > other[1] end
  return one[2] > other[2]
end

local function text_of(amount)
  if amount[1] == 0 then return string.format('%.0f', amount[2]) end
  return string.format('%.0f%09.0f', amount[1], amount[2])
end
