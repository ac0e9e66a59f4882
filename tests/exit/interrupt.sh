#!/bin/sh
# interrupt.sh COMMAND...: starts it, waits until it says "ready", interrupts
# it as Ctrl-C does, and exits with its status.
out=$(mktemp) || exit 99
trap 'rm -f "$out"' EXIT
"$@" >"$out" &
pid=$!
tries=0
until grep -q ready "$out"; do
  tries=$((tries + 1))
  if [ "$tries" -gt 600 ] || ! kill -0 "$pid" 2>/dev/null; then
    echo "never got ready" >&2
    kill -KILL "$pid" 2>/dev/null
    exit 98
  fi
  sleep 0.05
done
kill -INT "$pid"
wait "$pid"
status=$?
cat "$out"
exit "$status"
