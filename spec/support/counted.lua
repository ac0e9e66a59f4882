-- A module for workers: how often was it loaded in this Lua state?

rawset(_G, "counted_loads", (rawget(_G, "counted_loads") or 0) + 1)

return { name = ..., answer = 42 }
