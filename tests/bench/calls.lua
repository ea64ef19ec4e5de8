-- The calls of tests/load/closed_loop.py for wrk: the same file, made into Lua, is its first argument.
local requests, turn = {}, 0

function init(args)
  local calls = dofile(args[1])
  for i = 0, math.max(#calls.keys, #calls.models) - 1 do
    local key, model = calls.keys[i % #calls.keys + 1], calls.models[i % #calls.models + 1]
    local headers = {}
    for name, value in pairs(calls.headers) do headers[name] = value:gsub("KEY", key) end
    requests[#requests + 1] = wrk.format("POST", calls.path, headers, (calls.body:gsub("MODEL", model, 1)))
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    '{"calls": %d, "refused": %d, "broken": %d, "seconds": %f, "whole_p50": %f, "whole_p99": %f}\n',
    summary.requests, errors.status, broken, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
