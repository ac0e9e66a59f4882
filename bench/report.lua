-- The table for people and the JSON for programs.

local sample = require "sample"
local targets = require "targets"

local report = {}

local function number(x)
  if x >= 1000 then
    return ("%.0f"):format(x)
  elseif x >= 100 then
    return ("%.1f"):format(x)
  end
  return ("%.3g"):format(x)
end

-- median, minimum, maximum of one run's figure, scaled; nil without one.
local function spread(group, run)
  local values = run.figures[group.figure]
  if not values then
    return nil
  end
  return sample.median(values) * group.scale,
    math.min(table.unpack(values)) * group.scale,
    math.max(table.unpack(values)) * group.scale
end

local function getter(groups)
  local found = {}
  for _, group in ipairs(groups) do
    for _, run in ipairs(group.runs) do
      found[group.name .. "/" .. run.label] = spread(group, run)
    end
  end
  return function(group, label)
    return found[group .. "/" .. label]
  end
end

function report.groups(groups, out)
  for _, group in ipairs(groups) do
    out:write(("\n%s (%s)\n"):format(group.title, group.unit))
    out:write(("  %-40s %9s %9s %9s\n"):format("", "median", "min", "max"))
    for _, run in ipairs(group.runs) do
      local median, least, most = spread(group, run)
      if median then
        out:write(("  %-40s %9s %9s %9s\n"):format(run.label, number(median),
          number(least), number(most)))
      elseif run.missing then
        out:write(("  %-40s %s\n"):format(run.label, run.missing))
      end
    end
  end
end

local function judge(target, get)
  local value = target.value(get)
  if not value then
    return nil
  end
  local goal = target.at_least or target.at_most
  local met = target.at_least and value >= goal
    or target.at_most and value <= goal
  return {
    text = target.text,
    at_least = target.at_least,
    at_most = target.at_most,
    value = value,
    met = met or false,
  }
end

local function judged(groups)
  local get, list = getter(groups), {}
  for _, target in ipairs(targets) do
    list[#list + 1] = judge(target, get)
  end
  return list
end

function report.targets(groups, out)
  local list = judged(groups)
  if #list == 0 then
    return
  end
  out:write(("\n%-58s %9s %9s\n"):format("Targets", "asked", "reached"))
  for _, t in ipairs(list) do
    local goal = t.at_least or t.at_most
    local share = goal ~= 0 and t.value / goal
    out:write(("  %-54s %s%7s %9s  %s%s\n"):format(t.text,
      t.at_least and ">=" or "<=", number(goal), number(t.value),
      t.met and "met" or "MISSED",
      share and (", %.2fx of target"):format(share) or ""))
  end
end

-- The least seconds of processor that each run has taken, here and there.
function report.against(runs, root, out)
  out:write(("\n%-40s %9s %9s %9s\n"):format("Processor seconds, minima",
    "here", "there", "ratio"))
  for _, run in ipairs(runs) do
    local here, there = run.figures.processor, run.theirs.processor
    if here and there then
      local a, b = math.min(table.unpack(here)), math.min(table.unpack(there))
      out:write(("  %-38s %9s %9s %9.3f\n"):format(
        run.case .. ", " .. run.label, number(a), number(b), a / b))
    end
  end
  out:write("  there is " .. root .. "\n")
end

local function json(value, out, indent)
  local kind = type(value)
  if kind == "table" then
    local inner = indent .. "  "
    local list = #value > 0 or next(value) == nil
    local keys = {}
    for key in pairs(value) do
      keys[#keys + 1] = key
    end
    table.sort(keys)
    out:write(list and "[" or "{")
    for i, key in ipairs(keys) do
      out:write(i > 1 and "," or "", "\n", inner)
      if not list then
        out:write(("%q"):format(key), ": ")
      end
      json(value[key], out, inner)
    end
    out:write("\n", indent, list and "]" or "}")
  elseif kind == "string" then
    out:write('"', (value:gsub('[%c"\\]', function(c)
      return ("\\u%04x"):format(c:byte())
    end)), '"')
  elseif kind == "number" then
    out:write(("%.9g"):format(value))
  else
    out:write(tostring(value))
  end
end

function report.json(groups, rounds, machine, out)
  local document = {
    rounds = rounds,
    machine = machine,
    groups = {},
    targets = judged(groups),
  }
  for i, group in ipairs(groups) do
    local entry = { name = group.name, title = group.title,
      unit = group.unit, runs = {} }
    for k, run in ipairs(group.runs) do
      local median, least, most = spread(group, run)
      entry.runs[k] = { label = run.label, median = median, min = least,
        max = most, figures = run.figures, missing = run.missing }
    end
    document.groups[i] = entry
  end
  json(document, out, "")
  out:write "\n"
end

return report
