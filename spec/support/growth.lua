-- Does something that is done again and again leave anything behind? What it
-- leaves is counted, in bytes that Lua and malloc have given out, and never in
-- time. What is made on first use, and what grows by steps, grows now and then;
-- what piles up grows in each of several blocks of rounds.

local process = require "spec.support.process"
local session = require "spec.support.session"
local testmod = require "testmod"

local growth = {}

-- Rounds of one block.
growth.rounds = session.count(100000, 2000)

local BLOCKS = 6
-- What an allocator may need more, for no reason but the order of things. The
-- least that a round can leave, one block of malloc, is 32 bytes.
local SLACK = 24 * 1024

-- Bytes in use, once all that can be collected was.
local function in_use()
  session.collect()
  return collectgarbage "count" * 1024 + (testmod.allocated() or 0)
end

-- Runs `step(i)` in blocks of rounds until one of them leaves nothing behind;
-- raises when none does. `settled`, if given, is called after each block: it
-- has what still goes on come to its end.
function growth.none(step, settled, rounds)
  rounds = rounds or growth.rounds
  local grown = {}
  for block = 0, BLOCKS do
    local before = in_use()
    for i = 1, rounds do
      step(i)
    end
    if settled then
      settled()
    end
    local more = in_use() - before
    if block > 0 then -- the first one is to warm up
      if more <= SLACK then
        return
      end
      grown[block] = ("%.1f"):format(more / rounds)
    end
  end
  error("bytes that each round has left, block by block: "
    .. table.concat(grown, " "), 2)
end

-- The descriptors and threads of this process, or nil where nobody tells.
function growth.counts()
  local listing = io.popen "ls /proc/$PPID/fd 2>/dev/null | wc -l"
  if not listing then
    return nil, process.threads()
  end
  local count = tonumber(listing:read "a")
  listing:close()
  return count and count > 0 and count or nil, process.threads()
end

return growth
