#!/bin/sh
# Runs specs with busted: run-specs.sh [busted's arguments]
# Called through scripts/run.sh. Sanitized builds run in TIDEPOOL_LUA, which
# is no `lua`: busted is started as a script of it.

runner=$(dirname "$0")/busted.lua

# A process for each file: run_files COMMAND...
run_files () {
  status=0
  for file in $files; do
    "$@" "$runner" --output=plainTerminal "$file" </dev/null || status=$?
  done
  exit $status
}

# Checkers that remember every thread and every stack get slow where a
# thousand threads were, and want memory.
case $TIDEPOOL_SANITIZER in
  valgrind | thread)
    files=$*
    [ "$*" = spec ] && files=$(echo spec/*_spec.lua)
    [ "$TIDEPOOL_SANITIZER" = thread ] && run_files "$TIDEPOOL_LUA"
    run_files "$(dirname "$0")/valgrind.sh" "${TIDEPOOL_LUA:-lua5.4}" ;;
esac
if [ -n "$TIDEPOOL_SANITIZER" ]; then
  exec "$TIDEPOOL_LUA" "$runner" --output=plainTerminal "$@" </dev/null
fi
exec "${BUSTED:-busted}" --lua="${TIDEPOOL_LUA:-lua5.4}" "$@"
