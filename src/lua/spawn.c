/*
** os.execute and io.popen of a worker. Workers block signals, and a child
** would inherit that: nobody could interrupt it, or time it out. So children
** are started with the signal mask of the program. Besides, system() would
** make the whole program deaf to Ctrl-C while it waits.
*/
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/thread.h"
#include "lua/place.h"

extern char **environ;

/* Runs a command with that file as its file number `as`, or none if negative.
   0, or an error number. */
static int spawn (pid_t *pid, const char *command, int file, int as) {
  char *arguments[] = {"sh", "-c", "--", (char *)(uintptr_t)command, NULL};
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t mask;
  int rc = posix_spawn_file_actions_init(&actions);
  if (rc != 0)
    return rc;
  rc = posix_spawnattr_init(&attributes);
  if (rc == 0) {
    tpi_thread_outer_mask(&mask);
    posix_spawnattr_setsigmask(&attributes, &mask);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    if (file >= 0)
      rc = posix_spawn_file_actions_adddup2(&actions, file, as);
    if (rc == 0)
      rc = posix_spawn(pid, "/bin/sh", &actions, &attributes, arguments,
                       environ);
    posix_spawnattr_destroy(&attributes);
  }
  posix_spawn_file_actions_destroy(&actions);
  return rc;
}

/* Until it ends. Its status as `system` answers it; with errno 0, or -1. */
static int wait_for (pid_t pid) {
  int status;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR)
      return -1;
  }
  errno = 0;
  return status;
}

static int os_execute (lua_State *L) {
  const char *command = luaL_optstring(L, 1, NULL);
  pid_t pid;
  if (command == NULL) {
    lua_pushboolean(L, system(NULL));
    return 1;
  }
  errno = spawn(&pid, command, -1, 0);
  return luaL_execresult(L, errno != 0 ? -1 : wait_for(pid));
}

/* To read from, and to write to; not for other children. Where it takes two
   steps, one that is started in between gets them, too. */
static int open_ends (int ends[2]) {
#if defined(__linux__) && !defined(TPI_PORTABLE)
  return pipe2(ends, O_CLOEXEC);
#else
  if (pipe(ends) != 0)
    return -1;
  fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  fcntl(ends[1], F_SETFD, FD_CLOEXEC);
  return 0;
#endif
}

/* What Lua knows as a file, and whom to wait for when it is closed. */
typedef struct Pipe {
  luaL_Stream stream;
  pid_t pid;
} Pipe;

static int close_pipe (lua_State *L) {
  Pipe *p = luaL_checkudata(L, 1, LUA_FILEHANDLE);
  fclose(p->stream.f);
  return luaL_execresult(L, wait_for(p->pid));
}

/* 0, or an error number. */
static int open_pipe (Pipe *p, const char *command, int reads) {
  int ends[2], rc;
  if (open_ends(ends) != 0)
    return errno;
  p->stream.f = fdopen(ends[!reads], reads ? "r" : "w");
  rc =
      p->stream.f == NULL ? errno : spawn(&p->pid, command, ends[reads], reads);
  close(ends[reads]);
  if (rc == 0)
    p->stream.closef = close_pipe;
  else if (p->stream.f != NULL)
    fclose(p->stream.f);
  else
    close(ends[!reads]);
  return rc;
}

/* Of what is buffered only standard output is written first: another file
   may be locked by a thread that waits for input. */
static int io_popen (lua_State *L) {
  const char *command = luaL_checkstring(L, 1);
  const char *mode = luaL_optstring(L, 2, "r");
  Pipe *p = lua_newuserdatauv(L, sizeof *p, 0);
  luaL_argcheck(L, strcmp(mode, "r") == 0 || strcmp(mode, "w") == 0, 2,
                "invalid mode");
  p->stream.closef = NULL;
  luaL_setmetatable(L, LUA_FILEHANDLE);
  fflush(stdout);
  errno = open_pipe(p, command, *mode == 'r');
  return errno == 0 ? 1 : luaL_fileresult(L, 0, command);
}

void tpi_open_spawn (lua_State *L) {
  lua_getglobal(L, "os");
  lua_pushcfunction(L, os_execute);
  tpi_replace(L, "execute");
  lua_getglobal(L, "io");
  lua_pushcfunction(L, io_popen);
  tpi_replace(L, "popen");
  lua_pop(L, 2);
}
