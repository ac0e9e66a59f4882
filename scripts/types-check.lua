--[[
types-check.lua [FOLDER]: does types/ say what the library has, no more and no
less?

`surface` has the names of a class, taken from an object of it: the annotations
must name the same. `accepts` asks about a name where there is no list of them:
no name of the annotations may be refused. Each function has a sentence, and
annotates the parameters that it has, in their order.
]]

local tidepool = require "tidepool"

local passed, problems = 0, 0

local function check(ok, ...)
  if ok then
    passed = passed + 1
  else
    problems = problems + 1
    print(string.format(...))
  end
end

-- name -> { [member] = where it stands } of each annotated class
local classes = {}

local function class(name)
  classes[name] = classes[name] or {}
  return classes[name]
end

local function check_function(where, doc, parameters)
  local sentence, annotated = false, {}
  for _, line in ipairs(doc) do
    sentence = sentence or line:find "^%-%-%-%s*%a" ~= nil
    annotated[#annotated + 1] = line:match "^%-%-%-@param ([%w_.]+)"
  end
  check(sentence, "%s has no sentence", where)
  local listed = table.concat(annotated, ", ")
  check(listed == parameters, "%s has the parameters (%s), and annotates (%s)",
    where, parameters, listed)
end

-- Comments belong to the next line that is none.
local function read(file)
  local doc, variables, current = {}, {}, nil
  for line in io.lines(file) do
    local named = line:match "^%-%-%-@class ([%w_.]+)"
    local field = line:match "^%-%-%-@field ([%w_]+)"
    local variable = line:match "^local ([%w_]+) = {}"
    local of, member, parameters =
      line:match "^function ([%w_.]+)[.:]([%w_]+) ?%((.-)%)"
    if named then
      current = named
      class(named)
    elseif field then
      class(current)[field] = file
    elseif variable then
      variables[variable] = current
    elseif line:match "^tidepool%.[%w_]+ = {}" then
      class "tidepool"[line:match "^tidepool%.([%w_]+)"] = file
    elseif of then
      local where = ("%s: %s.%s"):format(file, of, member)
      class(variables[of] or of)[member] = file
      check_function(where, doc, parameters)
    end
    if line:find "^%-%-%-" then
      doc[#doc + 1] = line
    else
      doc = {}
    end
  end
end

local function keys(...)
  local found = {}
  for _, t in ipairs { ... } do
    for name in pairs(t) do
      if type(name) == "string" and not name:find "^__" then
        found[name] = true
      end
    end
  end
  return found
end

local function methods(object)
  return getmetatable(object).__index
end

local function library()
  for _, part in ipairs { "combine", "chain", "scope", "map", "imap", "promise",
    "loop", "run" } do
    require("tidepool." .. part)
  end
  local found = keys(tidepool)
  found.private = nil
  return found
end

local function scope()
  return tidepool.run(function ()
    local opened <close> = tidepool.scope()
    return methods(opened)
  end)
end

local pool <close> = tidepool.AsyncManager.new { workers = 1 }
local future, promise = tidepool.promise()
promise:resolve "a value"
local stats = pool:stats()
local surface = {
  ["tidepool"] = library(),
  ["tidepool.AsyncManager"] = keys(methods(pool), tidepool.AsyncManager),
  ["tidepool.Future"] = keys(methods(future)),
  ["tidepool.Promise"] = keys(methods(promise)),
  ["tidepool.Group"] = keys(methods(tidepool.group())),
  ["tidepool.Scope"] = keys(scope()),
  ["tidepool.Stats"] = keys(stats),
  ["tidepool.Queued"] = keys(stats.queued),
  ["tidepool.Quantiles"] = keys(stats.run),
  ["tidepool.FunctionInfo"] = keys(table.unpack(tidepool.functions())),
  ["tidepool.Outcome"] = keys(table.unpack(tidepool.all_settled {
    future, tidepool.spawn(error, "failed"),
  }:await())),
}
for _, name in ipairs { "copas", "cqueues", "luv" } do
  local ok, adapter = pcall(require, "tidepool.loop." .. name)
  surface["tidepool.loop." .. name] = ok and keys(adapter) or nil
end

-- Options are asked for with a value that none of them can have.
local function option(call)
  return function (name)
    local own <close> = tidepool.AsyncManager.new { workers = 1 }
    local ok, err = pcall(call, { [name] = io.stdout }, own)
    return ok or not tostring(err):find("unknown option", 1, true)
  end
end

local function has_task(name)
  return pool:call(function (member)
    return require "tidepool".task()[member] ~= nil
  end, name):await()
end

local function has_adapter(name)
  local _, err = pcall(tidepool.use_loop, { [name] = io.stdout })
  return not tostring(err):find("has no field", 1, true)
end

local accepts = {
  ["tidepool.Options"] = option(function (options)
    tidepool.AsyncManager.new(options):shutdown()
  end),
  ["tidepool.CallOptions"] = option(function (options, own)
    return own:with(options)
  end),
  ["tidepool.ShutdownOptions"] = option(function (options, own)
    return own:shutdown(options)
  end),
  ["tidepool.MapOptions"] = option(function (options, own)
    return own:map(print, {}, options)
  end),
  ["tidepool.ImapOptions"] = option(function (options, own)
    return own:imap(print, {}, options)
  end),
  ["tidepool.ScopeOptions"] = option(function (options)
    return tidepool.scope(options, print)
  end),
  ["tidepool.CombinatorOptions"] = option(function (options)
    return tidepool.all({}, options)
  end),
  ["tidepool.AsCompletedOptions"] = option(function (options)
    return tidepool.as_completed({}, options)
  end),
  ["tidepool.WaitOptions"] = option(function (options)
    return tidepool.wait({}, options)
  end),
  ["tidepool.Adapter"] = has_adapter,
  ["tidepool.Task"] = has_task,
  ["tidepool.Error"] = function () return true end, -- holds what it is given
  -- whose loop is not here
  ["tidepool.loop.copas"] = function () return true end,
  ["tidepool.loop.cqueues"] = function () return true end,
  ["tidepool.loop.luv"] = function () return true end,
}

local function sorted(set)
  local list = {}
  for name in pairs(set) do
    list[#list + 1] = name
  end
  table.sort(list)
  return list
end

local function compare(name, annotated)
  local real, accept = surface[name], accepts[name]
  for _, member in ipairs(sorted(annotated)) do
    local there = real and real[member] or not real and accept
      and accept(member)
    check(there, "%s annotates %s of %s, which is not there",
      annotated[member], member, name)
  end
  for _, member in ipairs(sorted(real or {})) do
    check(annotated[member], "types/ lacks %s of %s", member, name)
  end
end

local listing <close> = assert(io.popen(
  ("find '%s' -name '*.lua' | sort"):format(arg[1] or "types")))
for file in listing:lines() do
  read(file)
end
for _, name in ipairs(sorted(classes)) do
  check(surface[name] or accepts[name],
    "types/ has the class %s; scripts/types-check.lua has no object of it",
    name)
  compare(name, classes[name])
end
for _, name in ipairs(sorted(surface)) do
  check(classes[name], "types/ lacks the class %s", name)
end

print(("types: %d passed, %d failed, 0 skipped"):format(passed, problems))
os.exit(problems == 0, true)
