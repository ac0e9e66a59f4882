-- lua-path.lua PREFIX VERSION: the lines to set where Lua, left to itself,
-- looks in none of the folders that `make install` puts files in.

local prefix, version = arg[1], arg[2]

local function looks_in(path, template)
  return (";" .. path .. ";"):find(";" .. template .. ";", 1, true)
end

local share = ("%s/share/lua/%s/"):format(prefix, version)
local modules, inits = share .. "?.lua", share .. "?/init.lua"
local libraries = ("%s/lib/lua/%s/?.so"):format(prefix, version)

if not (looks_in(package.path, modules) and looks_in(package.path, inits)
  and looks_in(package.cpath, libraries)) then
  print(([[
Lua does not look under %s by itself. Set:
  export LUA_PATH='%s;%s;;'
  export LUA_CPATH='%s;;']]):format(prefix, modules, inits, libraries))
end
