/*
** lua.c: a small interpreter for sanitized builds, used as lua5.4 is:
** lua [-e CODE] [SCRIPT [ARGS]]. The sanitizer's runtime has to be in the
** program itself, and Debian's lua5.4 has none.
**
** Ends as lua.c of Lua does: an interrupt raises "interrupted!" in the
** running code, an error is printed with its traceback and gives status 1,
** and the state is closed.
*/
#include <signal.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

/* Lua may be built so that its errors jump by __longjmp_chk, which
   ThreadSanitizer does not know: it takes the frames that were left for ones
   that are still there. From here it is a jump that it does know. */
#ifdef __SANITIZE_THREAD__
_Noreturn void __longjmp_chk (jmp_buf env, int value);

_Noreturn void __longjmp_chk (jmp_buf env, int value) { longjmp(env, value); }
#endif

static lua_State *interrupted;

static void stop (lua_State *L, lua_Debug *ar) {
  (void)ar;
  lua_sethook(L, NULL, 0, 0);
  luaL_error(L, "interrupted!");
}

static void on_interrupt (int number) {
  int mask = LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT;
  signal(number, SIG_DFL);
  lua_sethook(interrupted, stop, mask, 1);
}

static int traceback (lua_State *L) {
  const char *message = luaL_tolstring(L, 1, NULL);
  luaL_traceback(L, L, message, 1);
  return 1;
}

/* Calls the chunk at the top, with `nargs` strings of argv. */
static int call (lua_State *L, char **argv, int nargs) {
  int base = lua_gettop(L), status;
  lua_pushcfunction(L, traceback);
  lua_insert(L, base);
  for (int i = 0; i < nargs; i++)
    lua_pushstring(L, argv[i]);
  interrupted = L;
  signal(SIGINT, on_interrupt);
  status = lua_pcall(L, nargs, 0, base);
  signal(SIGINT, SIG_DFL);
  return status;
}

static int report (lua_State *L, const char *name, int status) {
  if (status == LUA_OK)
    return EXIT_SUCCESS;
  fprintf(stderr, "%s: %s\n", name, lua_tostring(L, -1));
  return EXIT_FAILURE;
}

/* arg[0] is the script, as with lua5.4. */
static void set_arg (lua_State *L, int argc, char **argv, int script) {
  lua_createtable(L, argc - script, script);
  for (int i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - script);
  }
  lua_setglobal(L, "arg");
}

static int run (lua_State *L, int argc, char **argv) {
  int i = 1, status = LUA_OK;
  int script = argc >= 3 && strcmp(argv[1], "-e") == 0 ? 3 : 1;
  set_arg(L, argc, argv, script < argc ? script : 0);
  for (; i + 1 < argc && strcmp(argv[i], "-e") == 0; i += 2) {
    status =
        luaL_loadbuffer(L, argv[i + 1], strlen(argv[i + 1]), "=(command line)");
    if (status == LUA_OK)
      status = call(L, argv, 0);
    if (status != LUA_OK)
      return report(L, argv[0], status);
  }
  if (i < argc) {
    status = luaL_loadfile(L, argv[i]);
    if (status == LUA_OK)
      status = call(L, argv + i + 1, argc - i - 1);
  }
  return report(L, argv[0], status);
}

static void flush (void) { fflush(stdout); }

int main (int argc, char **argv) {
  lua_State *L = luaL_newstate();
  int status;
  if (L == NULL)
    return EXIT_FAILURE;
  luaL_openlibs(L);
  /* A leak found at the end must not cost the lines printed before it. (Lines
     that are flushed one by one would, but then the C library keeps from us
     that a pipe is broken.) */
  atexit(flush);
  status = run(L, argc, argv);
  lua_close(L);
  return status;
}
