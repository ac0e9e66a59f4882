/*
** host_fork.c: runs a script that forks in the middle: fork() answers as in
** C, wait(pid) answers the exit status of a child.
*/
#include "host.h"

#include <errno.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static int lua_fork (lua_State *L) {
  pid_t pid;
  fflush(NULL);
  pid = fork();
  if (pid < 0)
    return luaL_error(L, "no fork");
  lua_pushinteger(L, pid);
  return 1;
}

/* The status, or 1000 and the signal that ended it. */
static int lua_wait (lua_State *L) {
  pid_t pid = (pid_t)luaL_checkinteger(L, 1);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR)
      return luaL_error(L, "no such child");
  lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status)
                                       : 1000 + WTERMSIG(status));
  return 1;
}

int main (int argc, char **argv) {
  lua_State *L = host_open();
  if (argc < 2)
    host_die("which script?");
  lua_register(L, "fork", lua_fork);
  lua_register(L, "wait", lua_wait);
  if (luaL_dofile(L, argv[1]) != LUA_OK)
    host_die(lua_tostring(L, -1));
  lua_close(L);
  puts("forked");
  return 0;
}
