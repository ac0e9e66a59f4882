std = "lua54"
cache = false
max_line_length = 80
exclude_files = { "build", "luarocks", "lua_modules" }

files["spec"] = { std = "+busted" }
files[".busted"] = { std = "lua54" }
-- Scripts that end with something left in a global.
files["tests/exit"] = { allow_defined_top = true }
files["types"] = { ignore = { "111", "112", "131", "211", "212", "241" } }
files["*.rockspec"] = { std = "+rockspec" }
