--[[
chart.lua [check]: draws docs/performance.svg from docs/performance.json.

The JSON is what `make bench` writes to build/bench/results.json (all rounds of
one figure may be left out), so that other figures make another chart. With
`check` nothing is written: the chart must be the one that would be drawn, and
each figure must stand in docs/performance.md as the benches print it.
]]

local RESULTS, CHART = "docs/performance.json", "docs/performance.svg"
local PAGE = "docs/performance.md"

-- A panel is a group of the results: `better` says which way is good, and each
-- bar is a run of it, with what it is called in the chart; `other` are those of
-- other libraries, and of none.
local panels = {
  {
    group = "roundtrip", title = "One trivial task, there and back",
    better = "less is better",
    { "tidepool, 1 worker", "tidepool, 1 worker" },
    { "tidepool, 4 workers", "tidepool, 4 workers" },
    { "tidepool, 1 worker, spin 0", "1 worker, no spinning" },
    { "tidepool, 4 workers, spin 0", "4 workers, no spinning" },
    { "luv, 1 worker", "luv, 1 thread", other = true },
    { "luv, 4 workers", "luv, 4 threads", other = true },
  },
  {
    group = "flood", title = "100,000 trivial tasks, submitted at once",
    better = "more is better",
    { "tidepool, 1 worker", "tidepool, 1 worker" },
    { "tidepool, 4 workers", "tidepool, 4 workers" },
    { "tidepool, 4 workers, call_many", "4 workers, call_many" },
    { "luv, 1 worker", "luv, 1 thread", other = true },
    { "luv, 4 workers", "luv, 4 threads", other = true },
  },
  {
    group = "echo", title = "A string of 1 MiB, there and back",
    better = "more is better",
    { "tidepool", "tidepool" },
    { "luv", "luv", other = true },
  },
  {
    group = "records", title = "A list of 1,000 records, there and back",
    better = "more is better",
    { "tidepool, moved", "tidepool" },
    { "luv, serializer for any table", "luv, any table", other = true },
    { "luv, serializer for these records", "luv, these only", other = true },
  },
  {
    group = "memory", title = "Memory of a queued call",
    better = "less is better",
    { "tidepool", "tidepool" },
    { "luv", "luv", other = true },
  },
  {
    group = "map 10 us",
    title = "map of a function that takes 10 us, 20,000 times",
    better = "less is better",
    { "1 worker", "tidepool, 1 worker" },
    { "2 workers", "tidepool, 2 workers" },
    { "4 workers", "tidepool, 4 workers" },
    { "a plain loop", "a plain loop", other = true },
    { "4 processes", "4 processes", other = true },
  },
}

local WIDTH, GAP, LABEL, BAR, ROW, HEAD = 400, 20, 165, 150, 19, 44
local OURS, THEIRS = "#2a6f97", "#a9b4bd"

local function contents(name)
  local file <close> = assert(io.open(name))
  return file:read "a"
end

-- Reads JSON without escapes but \uXXXX below 128, which is what is written.
local function decode(text)
  local at = 1
  local value
  local function skip()
    at = text:find("%S", at) or #text + 1
    return text:sub(at, at)
  end
  local function many(last, item)
    at = at + 1
    while skip() ~= last do
      item()
      if skip() == "," then
        at = at + 1
      end
    end
    at = at + 1
  end
  local readers = {
    ["{"] = function ()
      local object = {}
      many("}", function ()
        local key = value()
        assert(skip() == ":", "a colon is missing")
        at = at + 1
        object[key] = value()
      end)
      return object
    end,
    ["["] = function ()
      local list = {}
      many("]", function () list[#list + 1] = value() end)
      return list
    end,
    ['"'] = function ()
      local body = assert(text:match('^"([^"]*)"', at), "an open string")
      at = at + #body + 2
      return (body:gsub("\\u00(%x%x)", function (code)
        return string.char(tonumber(code, 16))
      end))
    end,
  }
  function value()
    local reader = readers[skip()]
    if reader then
      return reader()
    end
    local word = assert(text:match("^[%w.+-]+", at), "no JSON")
    at = at + #word
    if word == "true" or word == "false" then
      return word == "true"
    end
    return tonumber(word)
  end
  return value()
end

-- As bench/report.lua prints figures.
local function number(x)
  return (x >= 1000 and "%.0f" or x >= 100 and "%.1f" or "%.3g"):format(x)
end

local function find(list, key, name)
  for _, entry in ipairs(list) do
    if entry[key] == name then
      return entry
    end
  end
  error(("%s has no %s named %q"):format(RESULTS, key, name), 0)
end

local function escaped(text)
  return (text:gsub("[&<>]",
    { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }))
end

local function element(out, x, y, class, text)
  out[#out + 1] = ('<text x="%.0f" y="%.0f" class="%s">%s</text>'):format(x, y,
    class, escaped(text))
end

local function draw(out, panel, results, x, y)
  local group = find(results.groups, "name", panel.group)
  local most = 0
  for _, bar in ipairs(panel) do
    most = math.max(most, find(group.runs, "label", bar[1]).median)
  end
  element(out, x, y + 14, "title", panel.title)
  element(out, x, y + 30, "note", group.unit .. ", " .. panel.better)
  for i, bar in ipairs(panel) do
    local top = y + HEAD + (i - 1) * ROW
    local median = find(group.runs, "label", bar[1]).median
    local length = math.max(1, median / most * BAR)
    element(out, x + LABEL - 8, top + 10, "label", bar[2])
    out[#out + 1] = ('<rect x="%d" y="%d" width="%.1f" height="13" fill="%s"/>')
      :format(x + LABEL, top, length,
        bar.other and THEIRS or OURS)
    element(out, x + LABEL + length + 6, top + 10, "value", number(median))
  end
end

local function height(panel)
  return HEAD + #panel * ROW + GAP
end

local function chart(results)
  local out, y = {}, GAP
  for i = 1, #panels, 2 do
    for column = 0, 1 do
      draw(out, panels[i + column], results,
        GAP + column * (WIDTH + GAP), y)
    end
    y = y + math.max(height(panels[i]), height(panels[i + 1]))
  end
  local width = 2 * WIDTH + 3 * GAP
  element(out, GAP, y, "note", ("Medians of %d rounds; %s. Others in grey.")
    :format(results.rounds, results.machine))
  y = y + GAP
  return ([[
<svg xmlns="http://www.w3.org/2000/svg"
  width="%d" height="%d" viewBox="0 0 %d %d">
<style>
text { font: 12px sans-serif; fill: #24292f }
.title { font-weight: bold }
.note, .value { fill: #57606a }
.label { text-anchor: end }
</style>
<rect width="100%%" height="100%%" rx="6" fill="#ffffff"/>
%s
</svg>
]]):format(width, y, width, y, table.concat(out, "\n"))
end

-- Which figures of the results the page does not have.
local function missing(results, page)
  local lines = {}
  for line in page:gmatch "[^\n]+" do
    lines[line:gsub("%s+", " ")] = true
  end
  local list = {}
  for _, group in ipairs(results.groups) do
    for _, run in ipairs(group.runs) do
      local line = (" %s %s %s %s"):format(run.label, number(run.median),
        number(run.min), number(run.max))
      if not lines[line] then
        list[#list + 1] = PAGE .. " has no line" .. line
      end
    end
  end
  return list
end

local results = decode(contents(RESULTS))
if arg[1] == "check" then
  local problems = missing(results, contents(PAGE))
  if contents(CHART) ~= chart(results) then
    problems[#problems + 1] = CHART .. " is not that of " .. RESULTS
      .. "; draw it by `make chart`"
  end
  print(table.concat(problems, "\n"))
  print(("chart: %d passed, %d failed, 0 skipped"):format(
    #problems == 0 and 1 or 0, #problems))
  os.exit(#problems == 0)
end
local file <close> = assert(io.open(CHART, "w"))
assert(file:write(chart(results)))
