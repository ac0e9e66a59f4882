#!/bin/sh
# Builds a Lua that checks itself, from its source: build-lua.sh SOURCE FOLDER
# SOURCE has Lua's files, itself or in src/. FOLDER gets liblua.a and the
# headers. Assertions of Lua and of its API end the process.

source=$1 folder=$2
[ -e "$source/src/lua.h" ] && source=$source/src
if [ ! -e "$source/lua.h" ]; then
  echo "build-lua: there is no lua.h in '$1'" >&2
  exit 1
fi

# It finds the modules that the installed Lua finds.
default () {
  env -u LUA_PATH -u LUA_CPATH -u LUA_PATH_5_4 -u LUA_CPATH_5_4 -u LUA_INIT \
    "$("$(dirname "$0")/find-lua.sh" program)" -e "io.write(package.$1)"
}

# Another source may have been named before.
mkdir -p "$folder" && rm -f "$folder"/* && cp "$source"/*.h "$folder" || exit
for file in "$source"/l*.c; do
  name=$(basename "$file" .c)
  case $name in
    lua | luac | ltests) continue ;; # programs, and what tests Lua itself
  esac
  "${CC:-cc}" -std=gnu11 -O1 -g -fPIC -DLUA_USE_POSIX -DLUA_USE_DLOPEN \
    -DLUA_COMPAT_5_3 -DLUA_USE_APICHECK -DLUAI_ASSERT -I"$source" \
    -DLUA_PATH_DEFAULT="\"$(default path)\"" \
    -DLUA_CPATH_DEFAULT="\"$(default cpath)\"" \
    -c "$file" -o "$folder/$name.o" || exit
done
ar rcs "$folder/liblua.a" "$folder"/*.o
