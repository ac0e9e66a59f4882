#!/bin/sh
# Runs a command with the paths of this tree and what the checkers need:
#   scripts/run.sh lua5.4 examples/checksum.lua
# TIDEPOOL_BUILD      the folder of what was built (build)
# TIDEPOOL_SANITIZER  address, undefined, thread or valgrind; unset for none
# TIDEPOOL_LUA        the interpreter for processes that tests start
# A finding of a checker ends a process with status 99.

root=$(cd "$(dirname "$0")/.." && pwd) || exit 1
build=${TIDEPOOL_BUILD:-build}
case $build in
  /*) ;;
  *) build=$root/$build ;;
esac
export TIDEPOOL_BUILD="$build"
[ -n "$TIDEPOOL_SANITIZER" ] || unset TIDEPOOL_SANITIZER
[ -n "$TIDEPOOL_LUA" ] || unset TIDEPOOL_LUA

unset LUA_PATH_5_4 LUA_CPATH_5_4 LUA_PATH_5_5 LUA_CPATH_5_5 LUA_INIT
export LUA_PATH="$root/lua/?.lua;$root/lua/?/init.lua;$root/spec/?.lua;;"
export TIDEPOOL="$root" LUA="${TIDEPOOL_LUA:-lua5.4}"
export LUA_CPATH="$build/?.so;$build/examples/?.so;$build/tests/?.so;\
$build/bench/?.so;;"

export ASAN_OPTIONS="exitcode=99:detect_leaks=1:strict_string_checks=1:\
allocator_may_return_null=1:$ASAN_OPTIONS"
export UBSAN_OPTIONS="exitcode=99:print_stacktrace=1:$UBSAN_OPTIONS"
# die_after_fork: a child of a process with threads may go on.
export TSAN_OPTIONS="exitcode=99:die_after_fork=0:second_deadlock_stack=1:\
$TSAN_OPTIONS"

# Where addresses are spread wider than 28 bits, ThreadSanitizer's map of
# memory does not fit; without randomization it does.
bits=$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0)
if [ "$TIDEPOOL_SANITIZER" = thread ] && [ "$bits" -gt 28 ] &&
  setarch "$(uname -m)" -R true 2>/dev/null; then
  exec setarch "$(uname -m)" -R "$@"
fi
exec "$@"
