#!/usr/bin/env lua5.4
--[==[
wordcount.lua [DIR [WORD...]]: counts the words of all texts below DIR (by
default /usr/share/doc) and says which files they stand in. Files that end in
.gz are read through gunzip.read, a C function that the workers call in place;
all the rest is Lua, on a pool of worker threads.

Standard output gets the most frequent words, each with how often it occurs
and in how many files; or, for each WORD, the paths of the files that have it.
A word is a run of letters, or of bytes beyond ASCII; capitals count as small
letters. A file with a zero byte in it is no text, and is skipped.

Standard error gets a progress bar (on a terminal only), the files that could
not be read, and at the end files, bytes, words, MB/s and the speed-up over a
single worker, measured in the same run.

Exit status: 0; 1 when something could not be read; 2 for other errors; 130
after Ctrl-C.
]==]

-- What is installed comes first; else the tree this script stands in.
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/.."
package.path = ("%s;%s/lua/?.lua;%s/lua/?/init.lua;%s/examples/?.lua"):format(
  package.path, root, root, root)
package.cpath = ("%s;%s/build/?.so;%s/build/examples/?.so"):format(
  package.cpath, root, root)

local tidepool = require "tidepool"
local gunzip = require "gunzip" -- registers gunzip.read
local terminal = require "terminal"

local BATCH = 32                -- files of one task
local SHARDS = 32               -- parts of the index, one task each
local TOP = 20                  -- words that are printed
local SAMPLE = 64 * 1024 * 1024 -- bytes at most in a measured pass
local TURNS = 3                 -- measured passes for each pool, at least
local PATIENCE = 6              -- seconds after which no turn is begun

local function say (...)
  io.stderr:write("wordcount: ", string.format(...), "\n")
end

----------------------------------------------------------------------
-- What the workers do
----------------------------------------------------------------------
--
-- A first round of tasks counts in batches of files, a second one puts
-- together what the batches say of the same words. Between the two nothing
-- is made of it in the program's own Lua state, which would take longer than
-- counting with some workers: an index goes as strings of records, each of
-- them a word, how often it occurs, and the numbers of its files.
--
-- Functions that the tasks call are their upvalues, and cross with them.

local RECORD, NUMBER = "<s4I4s4", "<I4"

local function pack (counts, places, keep)
  for word, n in pairs(counts) do
    keep(word, string.pack(RECORD, word, n, places[word]))
  end
end

local function records (index)
  local at = 1
  return function ()
    if at > #index then return nil end
    local word, n, numbers
    word, n, numbers, at = string.unpack(RECORD, index, at)
    return word, n, numbers
  end
end

-- Which part of the index a word belongs to.
local function shard_of (word)
  return (31 * word:byte(1) + word:byte(-1)) % SHARDS + 1
end

local function read (path)
  if path:find "%.gz$" then
    return require "tidepool".invoke("gunzip.read", path)
  end
  local file <close> = assert(io.open(path, "rb"))
  return assert(file:read "a")
end

-- Adds the words of a text; how many there were.
local function add (text, number, counts, places)
  local here, total = {}, 0
  for word in text:lower():gmatch "[%a\128-\255]+" do
    here[word] = (here[word] or 0) + 1
    total = total + 1
  end
  local mark = string.pack(NUMBER, number)
  for word, n in pairs(here) do
    counts[word] = (counts[word] or 0) + n
    places[word] = (places[word] or "") .. mark
  end
  return total
end

-- Counts in a batch of files, of which the first has that number.
local function count (paths, first)
  local task = require "tidepool".task()
  local counts, places, shards = {}, {}, {}
  local result = { shards = shards, failures = {}, sizes = {}, bytes = 0,
    words = 0, skipped = 0 }
  for i, path in ipairs(paths) do
    local ok, text = pcall(read, path)
    if task.cancelled then
      error(text) -- what pcall caught was that
    elseif not ok then
      table.insert(result.failures, type(text) == "table" and text.message
        or text)
    elseif text:find("\0", 1, true) then
      result.skipped = result.skipped + 1
    else
      result.words = result.words + add(text, first + i - 1, counts, places)
      result.bytes = result.bytes + #text
    end
    result.sizes[i] = ok and #text or 0
    task:progress(i / #paths)
  end
  for i = 1, SHARDS do
    shards[i] = {}
  end
  pack(counts, places, function (word, record)
    table.insert(shards[shard_of(word)], record)
  end)
  for i = 1, SHARDS do
    shards[i] = table.concat(shards[i])
  end
  return result
end

local function by_count (a, b)
  if a.count ~= b.count then return a.count > b.count end
  return a.word < b.word
end

-- Puts parts of the index for the same words together. Answers the whole,
-- how many words are in it, and the most frequent ones.
local function join (parts)
  local counts, lists, places, whole, top = {}, {}, {}, {}, {}
  for _, part in ipairs(parts) do
    for word, n, numbers in records(part) do
      local list = lists[word]
      if list then
        list[#list + 1] = numbers
      else
        lists[word] = { numbers }
      end
      counts[word] = (counts[word] or 0) + n
    end
  end
  for word, list in pairs(lists) do
    places[word] = table.concat(list)
  end
  pack(counts, places, function (word, record)
    whole[#whole + 1] = record
    top[#top + 1] = { word = word, count = counts[word],
      files = #places[word] // #string.pack(NUMBER, 0) }
  end)
  table.sort(top, by_count)
  return table.concat(whole), #top, table.move(top, 1, TOP, 1, {})
end

----------------------------------------------------------------------
-- What the program does
----------------------------------------------------------------------

-- Counts in all files and calls done(result, batch) for each batch, in the
-- order of the list. pool:call waits while the queue is full. waiting(future,
-- batch) is called every now and then while the next one is not ready.
local function count_all (pool, paths, done, waiting)
  local futures, batches, first, last = {}, {}, 1, 0

  local function take ()
    local future, batch = futures[first], batches[first]
    while waiting and not future:wait(terminal.redraw) do
      waiting(future, batch)
    end
    done(future:await(), batch)
    future:cleanup()
    futures[first], batches[first] = nil, nil
    first = first + 1
  end

  for at = 1, #paths, BATCH do
    local batch = table.move(paths, at, math.min(at + BATCH - 1, #paths), 1,
      {})
    last = last + 1
    futures[last], batches[last] = pool:call(count, batch, at), batch
    while first <= last and futures[first]:is_ready() do
      take()
    end
  end
  while first <= last do
    take()
  end
end

local function join_all (pool, all)
  local futures = {}
  for i, parts in ipairs(all.parts) do
    futures[i] = pool:call(join, parts)
  end
  for i, future in ipairs(futures) do
    local shard, different, top = future:await()
    all.shards[i] = shard
    all.different = all.different + different
    table.move(top, 1, #top, #all.top + 1, all.top)
  end
  table.sort(all.top, by_count)
end

-- done(all, result, batch), if given, is called after each batch.
local function index (pool, paths, done, waiting)
  local all = { parts = {}, shards = {}, different = 0, top = {}, sizes = {},
    files = 0, bytes = 0, words = 0, skipped = 0, unreadable = 0 }
  for i = 1, SHARDS do
    all.parts[i] = {}
  end
  count_all(pool, paths, function (result, batch)
    for i, shard in ipairs(result.shards) do
      table.insert(all.parts[i], shard)
    end
    table.move(result.sizes, 1, #result.sizes, #all.sizes + 1, all.sizes)
    all.files = all.files + #batch
    all.bytes = all.bytes + result.bytes
    all.words = all.words + result.words
    all.skipped = all.skipped + result.skipped
    all.unreadable = all.unreadable + #result.failures
    if done then done(all, result) end
  end, waiting and function (...)
    waiting(all, ...)
  end)
  join_all(pool, all)
  return all
end

-- The same with a progress bar.
local function show_index (pool, paths)
  local bar <close> = terminal.is_terminal(2)
    and terminal.new_bar(#paths, gunzip.now) or nil
  return index(pool, paths, function (all, result)
    if bar and #result.failures > 0 then bar:clear() end
    for _, failure in ipairs(result.failures) do
      say("%s", failure)
    end
    if bar then bar:draw(all.files, all.bytes) end
  end, bar and function (all, future, batch)
    bar:draw(all.files, all.bytes, #batch * future:progress())
  end)
end

----------------------------------------------------------------------
-- Output
----------------------------------------------------------------------

local function must (ok, why)
  if not ok then error("cannot write: " .. why, 0) end
end

local function print_top (all)
  for i = 1, math.min(TOP, #all.top) do
    local entry = all.top[i]
    must(io.stdout:write(("%9d %6d %s\n"):format(entry.count, entry.files,
      entry.word)))
  end
end

local function print_places (all, paths, word)
  local wanted = word:lower()
  if not wanted:find "^[%a\128-\255]+$" then
    return say("%s is not a word", word)
  end
  for found, _, numbers in records(all.shards[shard_of(wanted)]) do
    if found == wanted then
      for at = 1, #numbers, #string.pack(NUMBER, 0) do
        local number = string.unpack(NUMBER, numbers, at)
        must(io.stdout:write(word, ": ", paths[number], "\n"))
      end
    end
  end
end

----------------------------------------------------------------------
-- The speed-up over one worker
----------------------------------------------------------------------

-- Files spread evenly over the whole list, up to SAMPLE bytes of them.
local function choose (paths, all)
  local total = 0
  for _, size in ipairs(all.sizes) do
    total = total + size
  end
  local step, chosen, bytes, at = math.max(1, total / SAMPLE), {}, 0, 1
  while at <= #paths do
    local i = math.floor(at)
    if bytes + all.sizes[i] <= SAMPLE then
      chosen[#chosen + 1] = paths[i]
      bytes = bytes + all.sizes[i]
    end
    at = at + step
  end
  return chosen, bytes
end

local function pass (pool, paths)
  local start = gunzip.now()
  index(pool, paths)
  return gunzip.now() - start
end

local function median (seconds)
  table.sort(seconds)
  return seconds[(#seconds + 1) // 2]
end

local function rate (bytes, seconds)
  return seconds > 0 and bytes / 1e6 / seconds or 0
end

-- The same files with one worker and with all, turn by turn.
local function measure (pool, workers, paths, all)
  local chosen, bytes = choose(paths, all)
  if bytes == 0 then
    return say "no speed-up measured: nothing to read"
  end
  local one <close> = tidepool.AsyncManager.new { workers = 1 }
  local alone, together, start = {}, {}, gunzip.now()
  repeat
    alone[#alone + 1] = pass(one, chosen)
    together[#together + 1] = pass(pool, chosen)
    local spent = gunzip.now() - start
  until #alone >= TURNS or spent > PATIENCE
  local slow, fast = median(alone), median(together)
  io.stderr:write(("speed-up over one worker: %.2f (%.1f MB/s with 1, "
    .. "%.1f MB/s with %d; %d files, %.1f MB, median of %d turns each)\n")
    :format(slow / fast, rate(bytes, slow), rate(bytes, fast), workers,
      #chosen, bytes / 1e6, #alone))
end

----------------------------------------------------------------------

-- Answers whether everything could be read.
local function main (dir, ...)
  local paths, complete = terminal.list(dir)
  local workers = terminal.cores()
  local pool <close> = tidepool.AsyncManager.new { workers = workers }
  local start = gunzip.now()
  local all = show_index(pool, paths)
  local seconds = gunzip.now() - start

  if select("#", ...) == 0 then
    print_top(all)
  end
  for _, word in ipairs { ... } do
    print_places(all, paths, word)
  end
  must(io.stdout:flush())
  io.stderr:write(("%d files, %.1f MB, %d words, %d different, in %.2f s: "
    .. "%.1f MB/s with %d workers\n"):format(
    all.files - all.skipped - all.unreadable, all.bytes / 1e6, all.words,
    all.different, seconds, rate(all.bytes, seconds), workers))
  if all.skipped > 0 then
    say("not texts, and skipped: %d", all.skipped)
  end
  measure(pool, workers, paths, all)
  if all.unreadable > 0 then
    say("not readable: %d", all.unreadable)
  end
  return complete and all.unreadable == 0
end

if arg[1] == "--help" then
  io.stderr:write "usage: wordcount.lua [DIR [WORD...]]\n"
  os.exit(true)
end

-- Ctrl-C arrives as an error, on which the pool cancels what it holds.
local ok, answer = pcall(main, arg[1] or "/usr/share/doc",
  table.unpack(arg, 2))
if ok then
  os.exit(answer, true)
elseif tostring(answer):find "interrupted!$" then
  say "interrupted"
  os.exit(130, true)
else
  say("%s", answer)
  os.exit(2, true)
end
