-- Runs the benchmarks, from the root of the tree, after they were built:
-- `make bench`. BENCH names the groups to run ("flood records"; all), and
-- BENCH_ROUNDS (7) is how often each run is repeated. BENCH_TIMEOUT (120) is
-- how many seconds a run may take, TIDEPOOL_BUILD where the build lies.
-- BENCH_AGAINST names another tree, with `make benches` done there: each run
-- is made with both in turn, and their processor times are compared.
--
-- Every run is a process of its own. In each round all runs take their turn,
-- so that a slow spell of the machine meets every contestant.

local build = os.getenv "TIDEPOOL_BUILD" or "build"
local rounds = math.tointeger(tonumber(os.getenv "BENCH_ROUNDS" or 7))
local timeout = math.tointeger(tonumber(os.getenv "BENCH_TIMEOUT" or 120))

package.path = "bench/?.lua;" .. package.path
package.cpath = build .. "/bench/?.so;" .. build .. "/?.so;" .. package.cpath

local benchmod = require "benchmod"
local plan = require "plan"
local report = require "report"
local sample = require "sample"

local LUA = arg[-1] or "lua5.4"
local against = os.getenv "BENCH_AGAINST"
against = against ~= "" and against or nil

-- For a process that uses the tidepool of the tree `root`.
local function paths(root, its_build)
  return ("LUA_PATH='bench/?.lua;%s/lua/?.lua;%s/lua/?/init.lua;;' "
    .. "LUA_CPATH='%s/bench/?.so;%s/?.so;;' "):format(root, root, its_build,
      its_build)
end

local OURS = paths(".", build)
local THEIRS = against and paths(against, against .. "/build")

-- Only where `timeout` is there (it is not part of every system).
local guard = os.execute "timeout 1 true >/dev/null 2>&1"
  and ("timeout %d "):format(timeout) or ""

local function command(run, which)
  if run.who == "ring" then
    return ("%s%s/bench/ring %s %s 2>&1"):format(guard, build, run.case,
      run.options)
  end
  return ("env %s %s%s%s bench/case.lua %s %s %s 2>&1"):format(
    run.environment, which, guard, LUA, run.case, run.who, run.options)
end

-- Adds the figures that one run prints to `figures`.
local function measure(run, which, figures)
  local pipe = assert(io.popen(command(run, which)))
  local text = pipe:read "a"
  local ok, _, status = pipe:close()
  if not ok then
    run.missing = ("failed (%d): %s"):format(status,
      text:match "[^\n]*" or "")
    return
  end
  for key, value in text:gmatch "(%w+)=(%S+)" do
    local list = figures[key] or {}
    list[#list + 1] = tonumber(value)
    figures[key] = list
  end
end

local function chosen(groups)
  local names, list = os.getenv "BENCH" or "", {}
  if not names:find "%S" then
    return groups
  end
  for _, group in ipairs(groups) do
    for name in names:gmatch "%S+" do
      if group.name:match "^%S+" == name then
        list[#list + 1] = group
      end
    end
  end
  if #list == 0 then
    error("no group named '" .. names .. "'", 0)
  end
  return list
end

-- The library that a run needs, and how to see that it is there.
local libraries = {
  luv = function() return (pcall(require, "luv")) end,
  cqueues = function() return (pcall(require, "cqueues")) end,
  copas = function() return sample.copas() ~= nil end,
}

local function library(run)
  for name, is_there in pairs(libraries) do
    if run.who:find("^" .. name) then
      return name, is_there()
    end
  end
end

-- Marks the runs that cannot be made here, and answers the others.
local function possible(groups)
  local ring = io.open(build .. "/bench/ring", "rb")
  local list = {}
  for _, group in ipairs(groups) do
    for _, run in ipairs(group.again and {} or group.runs) do
      local needed, is_there = library(run)
      run.figures, run.theirs = {}, {}
      if run.who == "ring" and not ring then
        run.missing = "not built on this system"
      elseif needed and not is_there then
        run.missing = ("lua-%s is not installed"):format(needed)
      else
        list[#list + 1] = run
      end
    end
  end
  if ring then
    ring:close()
  end
  return list
end

local function processor()
  local file = io.open "/proc/cpuinfo"
  local text = file and file:read "a" or ""
  if file then
    file:close()
  end
  return text:match "model name%s*:%s*([^\n]+)" or "unknown"
end

local groups = chosen(plan.groups)
local runs = possible(groups)
local terminal = os.execute "test -t 2"
local machine = { cores = benchmod.cores(), processor = processor(),
  lua = _VERSION }

for round = 1, rounds do
  for i, run in ipairs(runs) do
    if terminal then
      io.stderr:write(("\r\27[Kround %d of %d, %d of %d: %s %s"):format(round,
        rounds, i, #runs, run.case, run.label))
    end
    local both = THEIRS and run.who ~= "ring" and not library(run)
    if both and round % 2 == 0 and not run.missing then
      measure(run, THEIRS, run.theirs)
    end
    if not run.missing then
      measure(run, OURS, run.figures)
    end
    if both and round % 2 == 1 and not run.missing then
      measure(run, THEIRS, run.theirs)
    end
  end
end
if terminal then
  io.stderr:write "\r\27[K"
end

print(("%s, %d cores, %s; %d rounds"):format(machine.processor,
  machine.cores, machine.lua, rounds))
report.groups(groups, io.stdout)
report.targets(groups, io.stdout)
if against then
  report.against(runs, against, io.stdout)
end

local path = build .. "/bench/results.json"
local file = assert(io.open(path, "w"))
report.json(groups, rounds, machine, file)
file:close()
print("\n" .. path .. " has every single figure.")
