#!/bin/sh
# valgrind with the options that the checks use: valgrind.sh PROGRAM...
exec "${VALGRIND:-valgrind}" --quiet --leak-check=full --error-exitcode=99 \
  --errors-for-leak-kinds=definite,possible --fair-sched=try \
  --num-callers=25 --max-threads=2000 "$@"
