#!/bin/sh
# Runs specs with busted: run-specs.sh [FILE or FOLDER...]
# Called through scripts/run.sh. Each file has a process of its own, so that
# none inherits what another one left, and checkers that remember every thread
# stay fast. As many run at a time as there are processors, or SPEC_JOBS; what
# one prints appears when it has ended. SPEC_JOBS=0 runs all of them in one
# process, as `busted` does.

self=$0
jobs=${SPEC_JOBS:-$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)}

# Sanitized builds run in TIDEPOOL_LUA, which is no `lua`: busted is started as
# a script of it.
run () { # run FILE...
  runner=$(dirname "$self")/busted.lua
  case $TIDEPOOL_SANITIZER in
    '') "${BUSTED:-busted}" --lua="${TIDEPOOL_LUA:-lua5.4}" "$@" ;;
    valgrind) "$(dirname "$self")/valgrind.sh" "${TIDEPOOL_LUA:-lua5.4}" \
      "$runner" --output=plainTerminal "$@" ;;
    *) "$TIDEPOOL_LUA" "$runner" --output=plainTerminal "$@" ;;
  esac </dev/null
}

if [ "$1" = --one ]; then
  log=$(mktemp) || exit 1
  trap 'rm -f "$log"' EXIT
  echo "== $2" >"$log"
  run "$2" >>"$log" 2>&1
  status=$?
  cat "$log"
  exit $status
fi
for path; do
  [ -e "$path" ] && continue
  echo "run-specs: there is no $path" >&2
  exit 2
done
if [ "$jobs" = 0 ] || [ -f "$*" ]; then
  run "$@"
  exit
fi
# The long ones first, so that none is left to run alone at the end.
first='in_the_middle exit async_map'
{
  for name in $first; do
    find "$@" -name "${name}_spec.lua"
  done
  find "$@" -name '*_spec.lua' | sort
} | awk '!seen[$0]++' | xargs -P "$jobs" -n 1 "$self" --one
