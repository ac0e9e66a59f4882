-- Counts instructions, from the root of the tree, after the sessions were
-- built: `make bench-count`. Runs each case of bench/session.lua under
-- callgrind and prints, by side, what a task costs now, what bench/counts.json
-- keeps, and the ratio. More than TOLERANCE of what is kept has failed.
--
-- Counts are comparable where compiler, flags, Lua and C library are those
-- that the file names; elsewhere they are printed and not judged. COUNTS=update
-- writes the file.

local FILE = "bench/counts.json"
local TOLERANCE = 1.02
local CASES = { "C function", "Lua function", "record", "spawn",
  "spawned call", "floor of a call", "floor of a record",
  "floor of a coroutine" }
-- Which strings collide in a table depends on the date: the least counts.
local DATES = { 1, 2, 3, 4, 5 }
local SIDES = { "call", "worker", "await", "collect" }

local build = arg[1] or "build"

local function first_line(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local text = pipe:read "a"
  return pipe:close() and text:match "[^\n]*"
end

local valgrind = first_line("command -v "
  .. (os.getenv "VALGRIND" or "valgrind"))

-- What the counts depend on beside the tree.
local function machine()
  return {
    { "compiler", first_line((os.getenv "CC" or "cc") .. " --version") or "" },
    { "flags", os.getenv "CFLAGS" or "" },
    { "library", first_line "getconf GNU_LIBC_VERSION" or "" },
    { "lua", (first_line((os.getenv "LUA" or "lua5.4") .. " -v") or "")
      :match "Lua %S+" or "" },
    { "processor", first_line "uname -m" or "" },
  }
end

-- The same environment on every machine, as it moves the stack, whose address
-- is in the seed. The string functions of the C library are those that any
-- processor has.
local function start(case, date, file)
  return assert(io.popen(("env -i LUA_PATH='lua/?.lua;lua/?/init.lua' "
    .. "LUA_CPATH='%s/?.so;%s/bench/?.so' "
    .. "GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-AVX512F,-ERMS,-FSRM "
    .. "%s -q --tool=callgrind --fair-sched=try --separate-threads=yes "
    .. "--combine-dumps=yes --dump-before='mark_*' "
    .. "--callgrind-out-file='%s' %s/bench/session bench/session.lua "
    .. "'%s' %d"):format(build, build, valgrind, file, build, case, date)))
end

-- The totals of each side, in the order of the rounds.
local function totals(file)
  local found, side = {}, nil
  for line in io.lines(file) do
    if line:find "^desc: Trigger:" then
      side = line:match "mark_(%a+)$"
    end
    local total = line:match "^totals: (%d+)"
    if total and side then
      found[side] = found[side] or {}
      table.insert(found[side], math.tointeger(total))
    end
  end
  return found
end

-- Instructions per task, by side: the last two rounds differ by so many tasks.
local function count(case)
  local counts, sessions = {}, {}
  for i, date in ipairs(DATES) do
    local file = ("%s/bench/session.%d"):format(build, date)
    sessions[i] = { file = file, pipe = start(case, date, file) }
  end
  for _, it in ipairs(sessions) do
    local tasks = tonumber(it.pipe:read "a")
    if not it.pipe:close() or not tasks then
      error("the session '" .. case .. "' failed", 0)
    end
    for side, list in pairs(totals(it.file)) do
      local n = #list
      counts[side] = math.min(counts[side] or math.huge,
        math.floor((list[n - 1] - list[n]) / tasks + 0.5))
    end
    os.remove(it.file)
  end
  return counts
end

-- The file has one case a line.
local function write(this, counts)
  local lines = {}
  for _, entry in ipairs(this) do
    lines[#lines + 1] = ('  "%s": "%s"'):format(table.unpack(entry))
  end
  for _, case in ipairs(CASES) do
    local sides = {}
    for _, side in ipairs(SIDES) do
      if counts[case][side] then
        sides[#sides + 1] = ('"%s": %d'):format(side, counts[case][side])
      end
    end
    lines[#lines + 1] = ('  "%s": {%s}'):format(case,
      table.concat(sides, ", "))
  end
  local file = assert(io.open(FILE, "w"))
  file:write("{\n", table.concat(lines, ",\n"), "\n}\n")
  file:close()
  print(FILE .. " is written: say in the commit why")
end

local function kept()
  local found = {}
  for line in io.lines(FILE) do
    local case, sides = line:match '"(.-)": {(.*)}'
    local name, value = line:match '"(%w+)": "(.*)"'
    if case then
      found[case] = {}
      for side, n in sides:gmatch '"(%a+)": (%d+)' do
        found[case][side] = math.tointeger(n)
      end
    elseif name then
      found[name] = value
    end
  end
  return found
end

-- Why the counts cannot be compared here, or nil.
local function foreign(this, old)
  for _, entry in ipairs(this) do
    local name, value = table.unpack(entry)
    if old[name] ~= value then
      return ("%s is '%s', and '%s' in %s"):format(name, value,
        old[name] or "unknown", FILE)
    end
  end
end

local function compare(this, counts, old)
  local why = foreign(this, old)
  local passed, failed = 0, 0
  print(("%-22s %-8s %8s %8s %7s"):format("instructions per task", "", "now",
    "kept", "ratio"))
  for _, case in ipairs(CASES) do
    for _, side in ipairs(SIDES) do
      local now, then_ = counts[case][side], old[case] and old[case][side]
      if now or then_ then
        local ok = now and then_ and now <= then_ * TOLERANCE
        passed, failed = passed + (ok and 1 or 0), failed + (ok and 0 or 1)
        print(("%-22s %-8s %8s %8s %7s %s"):format(case, side, now or "none",
          then_ or "none", now and then_ and ("%.3f"):format(now / then_) or "",
          ok and "" or why and "" or "WORSE"))
      end
    end
  end
  if why then
    print("not judged: " .. why)
    print "0 passed, 0 failed, 1 skipped"
    return true
  end
  print(("%d passed, %d failed, 0 skipped"):format(passed, failed))
  return failed == 0
end

if not valgrind then
  print "not counted: there is no valgrind"
  print "0 passed, 0 failed, 1 skipped"
  os.exit(true)
end

local this, counts = machine(), {}
for _, case in ipairs(CASES) do
  counts[case] = count(case)
end
if os.getenv "COUNTS" == "update" then
  write(this, counts)
else
  os.exit(compare(this, counts, kept()))
end
