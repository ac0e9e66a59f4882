-- What is asked. `value` computes what was reached from the medians;
-- `at_least` or `at_most` is the goal. nil: a contestant is missing.

local targets = {}

local function target(t)
  targets[#targets + 1] = t
end

local function ratio(a, b)
  return a and b and a / b
end

target {
  text = "flood, 1 worker, M tasks/s",
  at_least = 1,
  value = function(get)
    return get("flood", "tidepool, 1 worker")
  end,
}
target {
  text = "flood, 1 worker, default queue, M tasks/s",
  at_least = 1,
  value = function(get)
    return get("flood", "tidepool, 1 worker, default queue")
  end,
}
target {
  text = "flood, 4 workers over 1",
  at_least = 0.9,
  value = function(get)
    return ratio(get("flood", "tidepool, 4 workers"),
      get("flood", "tidepool, 1 worker"))
  end,
}
target {
  text = "flood, 4 workers over 1, default queue",
  at_least = 0.9,
  value = function(get)
    return ratio(get("flood", "tidepool, 4 workers, default queue"),
      get("flood", "tidepool, 1 worker, default queue"))
  end,
}

for _, n in ipairs { "1 worker", "4 workers" } do
  target {
    text = "round trip, " .. n .. ", luv over tidepool",
    at_least = 10,
    value = function(get)
      return ratio(get("roundtrip", "luv, " .. n),
        get("roundtrip", "tidepool, " .. n))
    end,
  }
  target {
    text = "round trip, " .. n .. ", tidepool over C ring",
    at_most = 1.5,
    value = function(get)
      return ratio(get("roundtrip", "tidepool, " .. n),
        get("roundtrip", "C ring, " .. n))
    end,
  }
  target {
    text = "round trip, " .. n .. ", tidepool over C ring + Lua alone",
    at_most = 1.5,
    value = function(get)
      local ring = get("roundtrip", "C ring, " .. n)
      local bare = get("roundtrip", "Lua alone, no threads")
      return ring and bare
        and ratio(get("roundtrip", "tidepool, " .. n), ring + bare)
    end,
  }
  target {
    text = "round trip, " .. n .. ", spin 0, tidepool over C ring",
    at_most = 1.3,
    value = function(get)
      return ratio(get("roundtrip", "tidepool, " .. n .. ", spin 0"),
        get("roundtrip", "C ring, " .. n .. ", spin 0"))
    end,
  }
end

target {
  text = "1 MiB string, tidepool over luv",
  at_least = 1.7,
  value = function(get)
    return ratio(get("echo", "tidepool"), get("echo", "luv"))
  end,
}
for _, kind in ipairs { "any table", "these records" } do
  target {
    text = "1,000 records over luv, serializer for " .. kind,
    at_least = 4,
    value = function(get)
      return ratio(get("records", "tidepool, moved"),
        get("records", "luv, serializer for " .. kind))
    end,
  }
end
target {
  text = "Lua flood, 1 worker, M tasks/s",
  at_least = 0.6,
  value = function(get)
    return get("lua flood", "tidepool, 1 worker")
  end,
}
target {
  text = "Lua flood, 4 workers over 1",
  at_least = 0.9,
  value = function(get)
    return ratio(get("lua flood", "tidepool, 4 workers"),
      get("lua flood", "tidepool, 1 worker"))
  end,
}
target {
  text = "Lua round trip, 4 workers, luv over tidepool",
  at_least = 8,
  value = function(get)
    return ratio(get("lua roundtrip", "luv, 4 workers"),
      get("lua roundtrip", "tidepool, 4 workers"))
  end,
}
for n, who in pairs { "1 worker", "2 workers", [4] = "4 workers" } do
  target {
    text = "fib(25), " .. who .. ", processes over tidepool",
    at_least = 0.95,
    value = function(get)
      return ratio(get("lua fib", "processes, " .. n),
        get("lua fib", "tidepool, " .. who))
    end,
  }
end
target {
  text = "1 MiB string to Lua, tidepool over luv",
  at_least = 1,
  value = function(get)
    return ratio(get("lua echo", "tidepool"), get("lua echo", "luv"))
  end,
}
for _, kind in ipairs { "any table", "these records" } do
  target {
    text = "1,000 records to Lua over luv, serializer for " .. kind,
    at_least = 3,
    value = function(get)
      return ratio(get("lua records", "tidepool"),
        get("lua records", "luv, serializer for " .. kind))
    end,
  }
end
target {
  text = "a worker's Lua state, bytes",
  at_most = 60 * 1024,
  value = function(get)
    return get("lua memory", "a worker's Lua state")
  end,
}
target {
  text = "a suspended Lua task, bytes",
  at_most = 2048,
  value = function(get)
    return get("lua memory", "a suspended task")
  end,
}
target {
  text = "queued call, bytes",
  at_most = 320,
  value = function(get)
    return get("memory", "tidepool")
  end,
}
target {
  text = "pool of 4 made and closed, us",
  at_most = 300,
  value = function(get)
    return get("pool", "tidepool")
  end,
}
target {
  text = "require, us",
  at_most = 400,
  value = function(get)
    return get("load", "tidepool")
  end,
}
target {
  text = "idle workers, times a thread ran in 2 s",
  at_most = 0,
  value = function(get)
    return get("idle", "tidepool")
  end,
}
for _, what in ipairs { "flood", "trickle" } do
  target {
    text = "8 workers, crowd " .. what .. ", spin over none",
    at_least = 0.9,
    value = function(get)
      return ratio(get("crowd " .. what, "tidepool"),
        get("crowd " .. what, "tidepool, spin 0"))
    end,
  }
end
target {
  text = "8 workers, crowd work, time with spin over none",
  at_most = 1.1,
  value = function(get)
    return ratio(get("crowd work", "tidepool"),
      get("crowd work", "tidepool, spin 0"))
  end,
}

return targets
