-- What the operating system knows about this process, and others started
-- from a spec. Linux keeps the first in /proc.

require "spec.support.paths"

local process = {}

process.interpreter = os.getenv "TIDEPOOL_LUA" or "lua5.4"

local function contents(name)
  local file = assert(io.open(name, "rb"))
  local text = file:read "a"
  file:close()
  return text
end

local function field(name)
  local file = io.open "/proc/self/status"
  if not file then
    return nil
  end
  local text = file:read "a"
  file:close()
  return tonumber(text:match("\n" .. name .. ":%s*(%d+)"))
end

-- Resident bytes of this process, or nil where /proc is missing.
function process.resident()
  local kilobytes = field "VmRSS"
  return kilobytes and kilobytes * 1024
end

-- Threads of this process, or nil.
function process.threads()
  return field "Threads"
end

function process.quote(word)
  return "'" .. word:gsub("'", [['\'']]) .. "'"
end

-- Some processes leave a thread or the memory of a parent behind, and are
-- tested for just that: what else the checkers find still counts.
process.leaving = 'ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0" '
  .. 'TSAN_OPTIONS="$TSAN_OPTIONS:report_thread_leaks=0" '

-- Runs a command of the shell, ended by force after `limit` seconds (which
-- gives exit status 124 or 137). Answers a table: code, signal, out, err.
function process.shell(command, limit)
  local out, err = os.tmpname(), os.tmpname()
  local line = table.concat({
    "LUA_PATH=" .. process.quote(package.path),
    "LUA_CPATH=" .. process.quote(package.cpath),
    "LUA_INIT= LUA_INIT_5_4=",
    "TIDEPOOL_LUA=" .. process.quote(process.interpreter),
    "timeout -k 5 " .. (limit or 120),
    "sh -c " .. process.quote(command),
    ">" .. out, "2>" .. err, "</dev/null",
  }, " ")
  local _, how, number = os.execute(line)
  local result = {
    code = how == "exit" and number or nil,
    signal = how == "signal" and number or nil,
    out = contents(out),
    err = contents(err),
  }
  os.remove(out)
  os.remove(err)
  return result
end

-- Runs a Lua script of tests/exit with the interpreter under test.
function process.script(name, ...)
  return process.command("exec", process.interpreter, "tests/exit/" .. name,
    ...)
end

-- The same, for a script that leaves a thread behind.
function process.leaver(name, ...)
  return process.command(process.leaving .. "exec", process.interpreter,
    "tests/exit/" .. name, ...)
end

-- Runs a command of the shell with words to be quoted after the first three.
function process.command(first, second, third, ...)
  local words = { first, second, third }
  for _, word in ipairs { ... } do
    words[#words + 1] = process.quote(tostring(word))
  end
  return process.shell(table.concat(words, " "))
end

-- Runs a piece of Lua as a program of its own.
function process.program(source)
  return process.shell(("exec %s -e %s"):format(process.interpreter,
    process.quote(source)))
end

return process
