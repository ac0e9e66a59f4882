#!/bin/sh
# Runs specs with busted: run-specs.sh [busted's arguments]
# Called through scripts/run.sh. Sanitized builds run in TIDEPOOL_LUA, which
# is no `lua`: busted is started as a script of it.

runner=$(dirname "$0")/busted.lua
if [ "$TIDEPOOL_SANITIZER" = valgrind ]; then
  # A process for each file: valgrind gets slow where a thousand threads were.
  [ "$*" = spec ] && set -- spec/*_spec.lua
  status=0
  for file in "$@"; do
    "$(dirname "$0")/valgrind.sh" "${TIDEPOOL_LUA:-lua5.4}" "$runner" \
      --output=plainTerminal "$file" </dev/null || status=$?
  done
  exit $status
fi
if [ -n "$TIDEPOOL_SANITIZER" ]; then
  exec "$TIDEPOOL_LUA" "$runner" --output=plainTerminal "$@" </dev/null
fi
exec "${BUSTED:-busted}" --lua="${TIDEPOOL_LUA:-lua5.4}" "$@"
