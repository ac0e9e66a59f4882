--[[
index.lua [check]: writes the alphabetical list at the head of
docs/reference.md, between the comments `index` and `end of the index`, from
the headings of that page. With `check` nothing is written: it must be the list
that would be.
]]

local PAGE = "docs/reference.md"
local BEGIN, END = "<!-- index -->\n", "<!-- end of the index -->\n"

local function contents(name)
  local file <close> = assert(io.open(name))
  return file:read "a"
end

-- As the web pages of git hosts make them from headings.
local function anchor(heading)
  return heading:lower():gsub("[^%w _-]", ""):gsub(" ", "-")
end

-- { name, what it is sorted by, anchor } for each name in a heading such as
-- `### future:getfd(), future:dirty()`.
local function names(text)
  local list = {}
  for heading in text:gsub("```.-```", ""):gmatch "\n### ([^\n]+)" do
    for name in heading:gsub("%b()", ""):gmatch "[%w_.:]+" do
      list[#list + 1] = {
        name = name, key = name:match "[%w]+[%w_]*$", anchor = anchor(heading),
      }
    end
  end
  table.sort(list, function (a, b)
    if a.key:lower() ~= b.key:lower() then
      return a.key:lower() < b.key:lower()
    end
    return a.name < b.name
  end)
  return list
end

local function index(text)
  local out, letter = { "| | |\n| --- | --- |" }, nil
  for _, entry in ipairs(names(text)) do
    local link = ("[%s](#%s)"):format(entry.name, entry.anchor)
    local first = entry.key:sub(1, 1):upper()
    if first ~= letter then
      letter = first
      out[#out + 1] = ("| %s | %s"):format(letter, link)
    else
      out[#out] = out[#out] .. " · " .. link
    end
  end
  for i = 2, #out do
    out[i] = out[i] .. " |"
  end
  return "\n" .. table.concat(out, "\n") .. "\n\n"
end

local text = contents(PAGE)
local before, old, after = text:match("^(.-" .. BEGIN:gsub("%p", "%%%0")
  .. ")(.-)(" .. END:gsub("%p", "%%%0") .. ".*)$")
if not before then
  error(PAGE .. " has no comments that enclose the index", 0)
end
local new = index(text)
if arg[1] == "check" then
  if old ~= new then
    print(PAGE .. ": the index is not that of the headings; run `make index`")
  end
  print(("index: %d passed, %d failed, 0 skipped"):format(
    old == new and 1 or 0, old == new and 0 or 1))
  os.exit(old == new)
end
local file <close> = assert(io.open(PAGE, "w"))
assert(file:write(before, new, after))
