-- Where the built module and the test modules are, unless the environment
-- (LUA_PATH, LUA_CPATH) has said so already.

local build = os.getenv "TIDEPOOL_BUILD" or "build"

local function reachable(name, path)
  return package.searchpath(name, path) ~= nil
end

if not reachable("tidepool", package.path) then
  package.path = "lua/?.lua;lua/?/init.lua;" .. package.path
end
if not reachable("tidepool.core", package.cpath) then
  package.cpath = build .. "/?.so;" .. package.cpath
end
if not reachable("testmod", package.cpath) then
  package.cpath = build .. "/tests/?.so;" .. package.cpath
end
if not reachable("digest", package.cpath) then
  package.cpath = build .. "/examples/?.so;" .. package.cpath
end

return { build = build }
