#!/bin/sh
# Runs C test programs one after the other: run-core.sh PROGRAM...
# A program that hangs (TEST_TIMEOUT, 300 s) or crashes has failed. Called
# through scripts/run.sh; TIDEPOOL_SANITIZER=valgrind runs them under it.

status=0
limit=
if command -v timeout >/dev/null; then
  limit="timeout -k 10 ${TEST_TIMEOUT:-300}"
fi
wrapper=
if [ "$TIDEPOOL_SANITIZER" = valgrind ]; then
  wrapper="$(dirname "$0")/valgrind.sh"
fi

for program in "$@"; do
  name=${program##*/}
  echo "== $name"
  # shellcheck disable=SC2086
  $limit $wrapper "$program" </dev/null
  code=$?
  [ $code -eq 0 ] && continue
  status=1
  # cmocka's own status is the number of tests that failed.
  if [ $code -ge 99 ]; then
    echo "$name: 0 passed, 1 failed, 0 skipped (status $code)"
  fi
done
exit $status
