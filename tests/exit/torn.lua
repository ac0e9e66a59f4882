-- Several workers read the lines of standard input, which arrive in pieces.
-- Without an argument; with one it writes so many such lines.

local n = ...

if n then
  for i = 1, tonumber(n) do
    io.write("<", ("x"):rep(i % 40))
    io.flush()
    io.write ">\n"
  end
  return
end

local tidepool = require "tidepool"
local reading = require "spec.support.reading"

local pool = tidepool.AsyncManager.new { workers = 3 }
local counts = {}
for i = 1, 3 do
  counts[i] = pool:call(reading.whole_lines, "^<x*>$")
end
local whole, torn = 0, 0
for i = 1, 3 do
  local some, others = counts[i]:await()
  whole, torn = whole + some, torn + others
end
print(whole, torn)
