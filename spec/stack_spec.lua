-- What Lua allows, 200 C calls on top of each other, a worker allows too,
-- however small a stack the shell gives its threads; and what is too deep is an
-- error there, no crash.

local process = require "spec.support.process"
local session = require "spec.support.session"

local describe, it, pending = describe, it, pending
local expect = assert

-- One level of each: a C function that calls `f`.
local kinds = {
  gsub = [[("x"):gsub(".", function () f() end)]],
  ["a reader of load"] = [[
    local n = 0
    assert(load(function ()
      n = n + 1
      if n == 1 then f() return "return 1" end
    end))]],
  __tostring = [[
    ("%s"):format(setmetatable({}, { __tostring = function ()
      f()
      return "x"
    end }))]],
  __index = [[
    table.concat(setmetatable({}, {
      __len = function () return 1 end,
      __index = function () f() return "x" end,
    }))]],
  pcall = "assert(pcall(f))",
  ["a comparator"] = [[table.sort({ 1, 2 }, function () f() end)]],
  ["a coroutine"] = "coroutine.wrap(function () f() end)()",
}

local program = [[
local tidepool = require "tidepool"
local pool = tidepool.AsyncManager.new { workers = 1 }
local function level(f)
  %s
end
local function nested(n)
  if n > 0 then
    level(function () nested(n - 1) end)
  end
  return n
end
for n = 10, 90, 10 do
  assert(pool:call(nested, n):await() == n)
end
local _, err = pool:call(nested, math.maxinteger):pawait()
assert(tostring(err):find "stack overflow" or err.message:find "C stack", err)
assert(pool:call(nested, 1):await() == 1)
]]

describe("a worker under a small `ulimit -s`", function ()
  for name, level in pairs(kinds) do
    it("nests " .. name .. " as deep as Lua does", function ()
      if session.check == "thread" then
        pending "ThreadSanitizer's frames are several times as large"
        return
      end
      local result = process.shell(("ulimit -s 256; exec %s -e %s"):format(
        process.interpreter, process.quote(program:format(level))))
      expect.are.equal("", result.err)
      expect.are.equal(0, result.code)
    end)
  end
end)
