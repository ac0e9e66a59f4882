-- A list of records {id, name, v} goes to a function and comes back.

local sample = require "sample"

local records = {}

local function list(n)
  local t = {}
  for i = 1, n do
    t[i] = { id = i, name = "record " .. i, v = i * 0.5 }
  end
  return t
end

local function rate(o, trip)
  local sent = list(o.records)
  return {
    rate = o.tasks * o.records / sample.seconds(o, function()
      for _ = 1, o.tasks do
        local got = trip(sent)
        local last = got[o.records]
        assert(#got == o.records and last.id == o.records
          and last.name == "record " .. o.records
          and last.v == o.records * 0.5)
      end
    end),
  }
end

local function through(name)
  return function(o)
    local pool <close> = sample.pool(o)
    return rate(o, function(sent)
      return pool:call(name, sent):await()
    end)
  end
end

-- The function moves its argument into its result, or builds a new table.
records.tidepool = through "bench.echo"
records.copy = through "bench.copy"

-- The function has a table to work on, and sends a table back.
local function luv(o, kind, body)
  local serializer = require("serializer")[kind]
  local trip = sample.luv(body)
  return rate(o, function(sent)
    return serializer.decode(trip(serializer.encode(sent)))
  end)
end

function records.luv(o)
  return luv(o, "records", function(text)
    local s = require("serializer").records
    return s.encode(s.decode(text))
  end)
end

function records.luvany(o)
  return luv(o, "any", function(text)
    local s = require("serializer").any
    return s.encode(s.decode(text))
  end)
end

-- The function hands the string back unread.
function records.luvblind(o)
  return luv(o, "records", function(text)
    return text
  end)
end

-- What Lua costs to build such a list once.
function records.bare(o)
  local names = {}
  for i = 1, o.records do
    names[i] = "record " .. i
  end
  return rate(o, function()
    local t = {}
    for i = 1, o.records do
      t[i] = { id = i, name = names[i], v = i * 0.5 }
    end
    return t
  end)
end

return records
