#!/usr/bin/env lua5.4
--[[
checksum.lua [DIR]: the SHA-256 of every regular file below DIR (by default
/usr/bin), hashed on a pool of worker threads.

Standard output gets lines that `sha256sum -c` accepts, sorted by path.
Standard error gets a progress bar (on a terminal only), the files that could
not be read, and at the end files, bytes, MB/s and the speed-up over a single
worker, measured in the same run. Symbolic links below DIR are not followed.

Exit status: 0; 1 when something could not be read; 2 for other errors; 130
after Ctrl-C.
]]

-- What is installed comes first; else the tree this script stands in.
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/.."
package.path = ("%s;%s/lua/?.lua;%s/lua/?/init.lua;%s/examples/?.lua"):format(
  package.path, root, root, root)
package.cpath = ("%s;%s/build/?.so;%s/build/examples/?.so"):format(
  package.cpath, root, root)

local tidepool = require "tidepool"
local digest = require "digest" -- registers the functions called below
local terminal = require "terminal"

local SAMPLE = 512 * 1024 * 1024 -- bytes at most in a measured pass
local TURNS = 3                  -- measured passes for each pool, at least
local ENOUGH = 0.2               -- seconds to measure for, at least
local PATIENCE = 5               -- seconds after which no turn is begun

local function say (...)
  io.stderr:write("checksum: ", string.format(...), "\n")
end

local function megabytes (bytes)
  return bytes / 1e6
end

----------------------------------------------------------------------
-- Output
----------------------------------------------------------------------

-- Writes as sha256sum does: a name with a backslash or a line break in it
-- is escaped, and a backslash in front of the line tells so.
local escapes = { ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r" }

local function must (ok, why)
  if not ok then error("cannot write: " .. why, 0) end
end

local function write_line (hash, path)
  local escaped, n = path:gsub("[\\\n\r]", escapes)
  must(io.stdout:write(n > 0 and "\\" or "", hash, "  ", escaped, "\n"))
end

----------------------------------------------------------------------
-- Hashing
----------------------------------------------------------------------

-- Hashes the files and calls done(path, future) for each, in the order of
-- the list. pool:call waits while the queue is full, so only a few files are
-- in flight at a time, however long the list is. waiting(future), if given,
-- is called every now and then while the next future is not ready.
local function hash_all (pool, paths, done, waiting)
  local futures, first = {}, 1

  local function take ()
    local future = futures[first]
    done(paths[first], future)
    future:cleanup() -- its result was read: free it now
    futures[first] = nil
    first = first + 1
  end

  for i, path in ipairs(paths) do
    futures[i] = pool:call("digest.sha256_file", path)
    while first <= i and futures[first]:is_ready() do
      take()
    end
  end
  while first <= #paths do
    while waiting and not futures[first]:wait(terminal.redraw) do
      waiting(futures[first])
    end
    take()
  end
end

-- Prints a line for each file. Answers what was hashed: paths, their sizes,
-- the sum of these, and how many files could not be read.
local function print_hashes (pool, paths)
  local result = { paths = {}, sizes = {}, bytes = 0, unreadable = 0 }
  local bar <close> = terminal.is_terminal(2)
    and terminal.new_bar(#paths, digest.now) or nil
  local shared = bar and terminal.is_terminal(1)

  local function draw (fraction)
    bar:draw(#result.paths + result.unreadable, result.bytes, fraction)
  end

  local function done (path, future)
    local ok, hash, size = future:pawait()
    if bar and (shared or not ok) then bar:clear() end
    if ok then
      write_line(hash, path)
      result.paths[#result.paths + 1] = path
      result.sizes[#result.sizes + 1] = size
      result.bytes = result.bytes + size
    else
      say("%s", hash.message)
      result.unreadable = result.unreadable + 1
    end
    if bar then draw() end
  end

  hash_all(pool, paths, done, bar and function (future)
    draw((future:progress()))
  end)
  must(io.stdout:flush())
  return result
end

----------------------------------------------------------------------
-- The speed-up over one worker
----------------------------------------------------------------------

-- Files spread evenly over the whole list, up to SAMPLE bytes of them. The
-- largest come first: a large one at the end would leave one worker hashing
-- and the others idle.
local function choose (result)
  local step = math.max(1, result.bytes / SAMPLE)
  local paths, sizes, bytes, at = {}, {}, 0, 1
  while at <= #result.paths do
    local i = math.floor(at)
    if bytes + result.sizes[i] <= SAMPLE then
      paths[#paths + 1] = result.paths[i]
      sizes[result.paths[i]] = result.sizes[i]
      bytes = bytes + result.sizes[i]
    end
    at = at + step
  end
  table.sort(paths, function (a, b) return sizes[a] > sizes[b] end)
  return paths, bytes
end

local function median (seconds)
  table.sort(seconds)
  return seconds[(#seconds + 1) // 2]
end

-- Seconds for hashing the files once. A file that changed or vanished since
-- the first pass has been reported there or never will be: it costs both
-- pools the same.
local function pass (pool, paths)
  local start = digest.now()
  hash_all(pool, paths, function (_, future) future:pawait() end)
  return digest.now() - start
end

local function rate (bytes, seconds)
  return seconds > 0 and megabytes(bytes) / seconds or 0
end

-- The same files with one worker and with all, turn by turn, after a pass
-- over all of them has warmed the page cache.
local function measure (pool, workers, result)
  local paths, bytes = choose(result)
  if bytes == 0 then
    return say "no speed-up measured: nothing to read, or all too large"
  end
  local one <close> = tidepool.AsyncManager.new { workers = 1 }
  local alone, together = {}, {}
  local start = digest.now()
  repeat
    alone[#alone + 1] = pass(one, paths)
    together[#together + 1] = pass(pool, paths)
    local spent = digest.now() - start
  until #alone >= TURNS and spent > ENOUGH or spent > PATIENCE
  local slow, fast = median(alone), median(together)
  io.stderr:write(("speed-up over one worker: %.2f (%.1f MB/s with 1, "
    .. "%.1f MB/s with %d; %d files, %.1f MB, median of %d turns each)\n")
    :format(slow / fast, rate(bytes, slow), rate(bytes, fast), workers,
      #paths, megabytes(bytes), #alone))
end

----------------------------------------------------------------------

-- Answers whether everything could be read.
local function main (dir)
  local paths, complete = terminal.list(dir)
  local workers = terminal.cores()
  local pool <close> = tidepool.AsyncManager.new { workers = workers }
  local start = digest.now()
  local result = print_hashes(pool, paths)
  local seconds = digest.now() - start

  io.stderr:write(("%d files, %.1f MB in %.2f s: %.1f MB/s with %d workers\n")
    :format(#result.paths, megabytes(result.bytes), seconds,
      rate(result.bytes, seconds), workers))
  measure(pool, workers, result)
  if result.unreadable > 0 then
    say("%d files could not be read", result.unreadable)
  end
  return complete and result.unreadable == 0
end

if #arg > 1 or arg[1] == "--help" then
  io.stderr:write "usage: checksum.lua [DIR]\n"
  os.exit(arg[1] == "--help")
end

-- Ctrl-C arrives as an error, on which the pool cancels what it holds.
local ok, answer = pcall(main, arg[1] or "/usr/bin")
if ok then
  os.exit(answer, true)
elseif tostring(answer):find "interrupted!$" then
  say "interrupted"
  os.exit(130, true)
else
  say("%s", answer)
  os.exit(2, true)
end
