#!/bin/sh
# Tells where Lua 5.4 (or 5.5) is on this machine.
#   find-lua.sh program   the interpreter
#   find-lua.sh include   the folder of lua.h
#   find-lua.sh libs      what a program that embeds Lua links with
#   find-lua.sh version   5.4 or 5.5, as $LUA_INCDIR/lua.h has it
# Prints nothing and fails when it is not there.

names="lua5.4 lua-5.4 lua54 lua5.5 lua-5.5 lua55 lua"

version_of () {
  sed -n 's/^#define LUA_VERSION_MINOR\(_N\)\{0,1\}[^0-9]*\([0-9]*\).*/5.\2/p' \
    "$1/lua.h" 2>/dev/null | head -n 1
}

supported () {
  case $1 in
    5.4 | 5.5) return 0 ;;
    *) return 1 ;;
  esac
}

program () {
  for name in $names; do
    if supported "$("$name" -e 'print(_VERSION:match "%d.%d")' 2>/dev/null)"
    then
      echo "$name"
      return 0
    fi
  done
  return 1
}

# The pkg-config package whose headers are of a version that will do.
package () {
  for name in $names; do
    flags=$(pkg-config --cflags-only-I "$name" 2>/dev/null) || continue
    for dir in $(echo "$flags" | sed 's/-I//g') /usr/include; do
      if supported "$(version_of "$dir")"; then
        echo "$name $dir"
        return 0
      fi
    done
  done
  return 1
}

include () {
  if found=$(package); then
    echo "${found#* }"
    return 0
  fi
  for prefix in /usr /usr/local /opt/homebrew /opt/homebrew/opt/lua@5.4 \
    /usr/local/opt/lua@5.4 /opt/local; do
    for dir in lua5.4 lua-5.4 lua54 lua/5.4 lua5.5 lua-5.5 lua55 lua .; do
      if supported "$(version_of "$prefix/include/$dir")"; then
        echo "$prefix/include/$dir"
        return 0
      fi
    done
  done
  return 1
}

libs () {
  if found=$(package); then
    pkg-config --libs "${found% *}"
    return
  fi
  dir=$(include) || return 1
  lib=${dir%/include*}/lib
  for name in $names; do
    for file in "$lib/lib$name.so" "$lib/lib$name.dylib" "$lib/lib$name.a"; do
      if [ -e "$file" ]; then
        echo "-L$lib -l$name -lm"
        return 0
      fi
    done
  done
  echo "-llua5.4 -lm"
}

case $1 in
  program | include | libs) "$1" ;;
  version)
    dir=${LUA_INCDIR:-$(include)} || exit 1
    version_of "$dir"
    ;;
  *)
    sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
