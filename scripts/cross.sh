#!/bin/sh
# Compiles for another platform what needs nothing but Lua's headers, and runs
# none of it: cross.sh musl | 32bit | aarch64
# With --can before the name: is there a compiler for it here?

compiler () {
  case $1 in
    musl) echo "musl-gcc" ;;
    # the headers of the kernel stand there, where the compiler for 64 bits
    # has no other one beside it
    32bit) echo "gcc -m32 -Wno-psabi -idirafter /usr/include/$(gcc -print-multiarch)" ;;
    aarch64) echo "aarch64-linux-gnu-gcc" ;;
    *) return 1 ;;
  esac
}

can () {
  # shellcheck disable=SC2046
  printf '#include <errno.h>\n#include <pthread.h>\n' |
    $(compiler "$1") -fsyntax-only -x c - 2>/dev/null
}

# Debian's luaconf.h includes one that the compiler of the system finds.
copy_headers () {
  cp "$1"/*.h "$2" || return
  for file in "${1%/*}"/*/lua*-deb-multiarch.h; do
    [ ! -e "$file" ] || cp "$file" "$2"
  done
}

if [ "$1" = --can ]; then
  can "$2"
  exit
fi
if ! compiler "$1" >/dev/null; then
  sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
cd "$(dirname "$0")/.." || exit
headers=$(mktemp -d) || exit
trap 'rm -rf "$headers"' EXIT
copy_headers "${LUA_INCDIR:-$(scripts/find-lua.sh include)}" "$headers" || exit
make BUILD="build/$1" CC="$(compiler "$1")" LUA_INCDIR="$headers" \
  CFLAGS="${CFLAGS:--O2 -g} -Werror" compile
