-- Runs one case in a process of its own and prints its figures:
--   lua5.4 bench/case.lua flood tidepool workers=4 tasks=100000 passes=5
-- bench/run.lua starts it, with LUA_PATH and LUA_CPATH set.

local options = {}
for i = 3, #arg do
  local key, value = arg[i]:match "^(%w+)=(%d+)$"
  if not key then
    error("a case takes key=number, got " .. arg[i], 0)
  end
  options[key] = math.tointeger(value)
end

local case = require("cases." .. arg[1])[arg[2]]
for key, value in pairs(case(options)) do
  print(("%s=%.9g"):format(key, value))
end
print(("processor=%.9g"):format(require("benchmod").cpu()))
