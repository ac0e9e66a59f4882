--[[
snippets.lua [FILE...]: runs the examples in README.md and docs/*.md.

A comment on the line before a block says what to do with it:

  <!-- run -->           run it; it has to end well
  <!-- run: fails -->    run it; it has to fail
  <!-- file: NAME -->    write it to NAME, for the blocks that follow
  <!-- output -->        what the block before has printed (standard output
                         and error); `...` stands for anything

lua blocks run as scripts of their own in a new interpreter, sh blocks in a
new `sh -e`, c blocks only go to files. Each document has an empty folder of
its own that all its blocks share. They find the tree as installed modules
would be found; $LUA is the interpreter, $CC the compiler, $TIDEPOOL the root
of the tree. Blocks without a comment are left alone.
]]

local LIMIT = 60 -- seconds for one block

local interpreter = os.getenv "TIDEPOOL_LUA" or "lua5.4"
local passed, failed = 0, 0

local function quote(word)
  return "'" .. word:gsub("'", [['\'']]) .. "'"
end

local function capture(command)
  local pipe <close> = assert(io.popen(command))
  return (pipe:read "a":gsub("\n$", ""))
end

local function write(name, text)
  local file <close> = assert(io.open(name, "w"))
  assert(file:write(text))
end

-- { mark, language, text, line } for each marked block.
local function blocks(name)
  local list, mark, open = {}, nil, nil
  local number = 0
  for line in assert(io.lines(name)) do
    number = number + 1
    if open then
      if line:match "^%s*```%s*$" then
        open.text = table.concat(open.text, "\n") .. "\n"
        if open.mark then
          list[#list + 1] = open
        end
        open = nil
      else
        table.insert(open.text, line)
      end
    elseif line:match "^%s*```" then
      open = {
        mark = mark, language = line:match "```(%w*)", text = {},
        line = number,
      }
      mark = nil
    else
      local found = line:match "^%s*<!%-%-%s*(.-)%s*%-%->%s*$"
      if found or line:match "%S" then
        mark = found
      end
    end
  end
  return list
end

-- A pattern for an expected output, in which ... is anything.
local function pattern(text)
  local escaped = text:gsub("%s+$", ""):gsub("%W", "%%%0")
  return "^" .. escaped:gsub("%%%.%%%.%%%.", ".-") .. "%s*$"
end

local commands = {
  lua = function (name) return interpreter .. " " .. name end,
  sh = function (name) return "sh -e " .. name end,
}

-- Runs a block in the folder. Answers success, what it printed.
local function run(block, folder)
  local make = commands[block.language]
  if not make then
    return false, ("cannot run %q blocks\n"):format(block.language)
  end
  local name = "snippet." .. block.language
  write(folder .. "/" .. name, block.text)
  local ok = os.execute(("cd %s && %s %s >.output 2>&1 </dev/null"):format(
    quote(folder), "timeout -k 5 " .. LIMIT, make(name)))
  local file <close> = assert(io.open(folder .. "/.output"))
  return ok == true, file:read "a"
end

local function verdict(ok, document, block, why, output)
  if ok then
    passed = passed + 1
    return
  end
  failed = failed + 1
  print(("%s:%d: %s"):format(document, block.line, why))
  print((output:gsub("[^\n]+", "  | %0")))
end

local actions = {}

function actions.run(block, state)
  local ok, output = run(block, state.folder)
  state.output = output
  verdict(ok, state.document, block, "the block fails", output)
end

actions["run: fails"] = function (block, state)
  local ok, output = run(block, state.folder)
  state.output = output
  verdict(not ok, state.document, block, "the block has to fail", output)
end

function actions.output(block, state)
  local output = state.output or "(no block before this one)"
  verdict(output:match(pattern(block.text)), state.document, block,
    "the output is another one", output)
end

local function action(mark)
  local name = mark:match "^file:%s*([%w_.-]+)$"
  if name then
    return function (block, state)
      write(state.folder .. "/" .. name, block.text)
    end
  end
  return actions[mark]
end

local function check(document)
  local folder = capture "mktemp -d"
  local state = { document = document, folder = folder }
  for _, block in ipairs(blocks(document)) do
    local act = action(block.mark)
    if act then
      act(block, state)
    end
  end
  os.execute("rm -rf " .. quote(folder))
end

-- Comments of other kinds are none of ours, but a slip of the pen is.
local function check_marks(document)
  local number = 0
  for line in io.lines(document) do
    number = number + 1
    local mark = line:match "^%s*<!%-%-%s*(.-)%s*%-%->%s*$"
    if mark and not action(mark)
      and (mark:match "^run" or mark:match "^file" or mark:match "^out") then
      failed = failed + 1
      print(("%s:%d: unknown mark %q"):format(document, number, mark))
    end
  end
end

local documents = { table.unpack(arg) }
if #documents == 0 then
  for name in capture("ls README.md docs/*.md 2>/dev/null"):gmatch "%S+" do
    documents[#documents + 1] = name
  end
end
for _, document in ipairs(documents) do
  check_marks(document)
  check(document)
end

print(("snippets: %d passed, %d failed, 0 skipped"):format(passed, failed))
os.exit(failed == 0)
