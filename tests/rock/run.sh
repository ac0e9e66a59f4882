#!/bin/sh
# Installs the rock into a tree of its own, offline, and uses it as somebody
# else would: builds hello.c in an empty folder with nothing but the installed
# header, and runs it. Called through scripts/run.sh.

root=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
lua=${TIDEPOOL_LUA:-lua5.4}
cc=${CC:-cc}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
passed=0
failed=0

step () { # step WHAT COMMAND...
  what=$1
  shift
  if "$@" >"$work/log" 2>&1; then
    passed=$((passed + 1))
    echo "ok: $what"
  else
    failed=$((failed + 1))
    echo "not ok: $what"
    sed 's/^/  | /' "$work/log"
  fi
}

unset LUA_PATH LUA_CPATH
version=$("$lua" -e 'print(_VERSION:match "%d.%d")')

# A copy, so that the tree stays clean; without what was built here.
mkdir "$work/source" "$work/empty" || exit 1
(cd "$root" && tar cf - --exclude=./build --exclude=./.git .) |
  (cd "$work/source" && tar xf -)
find "$work/source/src" -name '*.o' -exec rm -f {} +

# Without a network at all, where the system lets us take it away.
offline=
if unshare -rn true 2>/dev/null; then
  offline="unshare -rn"
fi

make_rock () {
  cd "$work/source" && $offline luarocks --lua-version="$version" \
    --tree="$work/tree" make </dev/null
}

library () {
  echo "$work/tree/lib/lua/$version/tidepool/core.so"
}

exports () { # only luaopen_*, whatever flags LuaRocks compiled with
  names=$(nm -D --defined-only "$(library)" | awk '{ print $NF }' |
    grep -v -e '^luaopen_' -e '^_init$' -e '^_fini$')
  [ -z "$names" ] && return
  echo "core.so exports more than luaopen_*:"
  echo "$names"
  return 1
}

run_lua () {
  cd "$work/empty" && \
    LUA_PATH="$work/tree/share/lua/$version/?.lua;\
$work/tree/share/lua/$version/?/init.lua" \
    LUA_CPATH="$work/empty/?.so;$work/tree/lib/lua/$version/?.so" "$lua" "$@"
}

header () {
  header=$(run_lua -e 'print(require("tidepool").header())') || return
  echo "$header"
  case $header in
    "$work/tree"/*) [ -f "$header" ] ;;
    *) echo "not in the tree of the rock" && return 1 ;;
  esac
}

build () {
  cp "$root/tests/rock/hello.c" "$work/empty" && cd "$work/empty" &&
    "$cc" -std=c11 -Wall -Wextra -Wpedantic -Werror -shared -fPIC \
      -I"${LUA_INCDIR:-/usr/include/lua5.4}" -I"$(dirname "$header")" \
      hello.c -o hello.so
}

greet () {
  run_lua -e '
    local tidepool = require "tidepool"
    require "hello"
    local a, b = tidepool.call("hello.greet", "rock"):await()
    assert(a .. b == "hello, rock")
    local ok, err = tidepool.call("hello.greet", ""):pawait()
    assert(not ok and err.kind == "error")
  '
}

docs () {
  [ -f "$work/tree/lib/luarocks/rocks-$version/tidepool/scm-1/docs/design.md" ]
}

step "luarocks make, offline" make_rock
step "exports luaopen_* only" exports
step "the header is installed" header
step "a module builds in an empty folder" build
step "and runs" greet
step "the documents are installed" docs

echo "rock: $passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
