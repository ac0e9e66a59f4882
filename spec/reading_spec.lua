-- Input that workers wait for: they read as Lua does, and hold nobody up.

local session = require "spec.support.session"
local process = require "spec.support.process"
local reading = require "spec.support.reading"

local function file_of(text)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
  return path
end

local TEXTS = {
  "",
  "\n",
  "one line",
  "one\ntwo\n\nfour\n",
  ("x"):rep(5000) .. "\n" .. ("y"):rep(9000),
  "1 2.5 -3e2 0x1F 0x.8p1 +7 nan",
  "  \n\t 12abc\n",
  "0x 1e 1e+ . - 00012 1..2",
  ("9"):rep(250) .. " 1",
  "a\0b\0\n\0",
}

local FORMATS = {
  {}, { "l" }, { "L" }, { "a" }, { "n" }, { 0 }, { 1 }, { 4 }, { 5000 },
  { "n", "l" }, { "*n", "*L" }, { 2, "l" }, { "l", "a" }, { 0, "l" },
  { "n", "n", "n" }, { "L", "n" },
}

describe("what a worker reads", function ()
  it("is what Lua reads, from files and from pipes", function ()
    local pool = session.pool { workers = 1 }
    for i, text in ipairs(TEXTS) do
      local path = file_of(text)
      for j, formats in ipairs(FORMATS) do
        for _, piped in ipairs { false, true } do
          local source = piped and "cat " .. path or path
          local expected = reading.repeatedly(path, false, formats)
          assert.are.same(expected,
            pool:call(reading.repeatedly, source, piped, formats):await(),
            ("text %d, formats %d"):format(i, j))
          if formats[1] ~= 0 and formats[1] ~= "a" then
            expected = reading.by_lines(path, false, formats)
            assert.are.same(expected,
              pool:call(reading.by_lines, source, piped, formats):await(),
              ("text %d, lines with formats %d"):format(i, j))
          end
        end
      end
      os.remove(path)
    end
  end)

  it("is closed, or refused, as Lua does", function ()
    local pool = session.pool { workers = 1 }
    local path = file_of "1 one\n2 two\nthree"
    assert.are.same(reading.by_name(path),
      pool:call(reading.by_name, path):await())
    local expected = reading.misuse(path)
    for i, result in ipairs(pool:call(reading.misuse, path):await()) do
      assert.are.same(expected[i], result)
    end
    os.remove(path)
  end)

  it("comes in whole lines, however it arrives", function ()
    local result = process.shell(("%s tests/exit/torn.lua %d | "
      .. "%s tests/exit/torn.lua"):format(process.interpreter, 3000,
      process.interpreter))
    assert.are.equal("3000\t0\n", result.out, result.err)
  end)
end)

describe("while a worker waits for input the program", function ()
  for _, what in ipairs { "line", "all", "number", "lines", "part" } do
    for _, way in ipairs { "popen", "cancel", "exit", "close" } do
      it(("goes on: %s, %s"):format(what, way), function ()
        local result = process.shell(([[
          pipe=$(mktemp -u) && mkfifo "$pipe" && exec 3<>"$pipe" &&
          rm "$pipe" && exec %s tests/exit/reading.lua %s %s <&3]]):format(
          process.interpreter, what, way), 60)
        assert.are.equal(0, result.code, result.err)
        assert.are.equal("left", result.out:sub(1, 4))
      end)
    end
  end
end)
