/*
** gunzip: compressed files on the workers of tidepool, from zlib.
**
** Like examples/digest it sees tidepool.h, Lua and the library it wraps, and
** links against that library alone.
**
**   cc -shared -fPIC -I... gunzip.c -lz -o gunzip.so
**
** `require "gunzip"` registers one function for every pool:
**
**   gunzip.read  "string -> string"
**     what is in a regular file compressed by gzip; one that is not
**     compressed is answered as it is
**
** A Lua task calls it in place: tidepool.invoke("gunzip.read", path). The
** module is a table with an ordinary Lua function: now() answers the seconds
** of a clock that never goes back.
*/
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <zlib.h>

#include <lua.h>

#include <lauxlib.h>

#include <tidepool.h>

/* A few compressed bytes can stand for very many: here it ends. */
#define MOST ((size_t)1024 * 1024 * 1024)

/* What is asked of zlib at a time, between two looks at tp_cancelled. */
#define PIECE ((size_t)256 * 1024)

/* What one call owns; job_fini runs however the call ends. */
typedef struct Job {
  gzFile file;
  int fd; /* until zlib has it */
  char *text;
  size_t length, room;
} Job;

static void job_fini (void *p) {
  Job *job = p;
  if (job->file != NULL)
    gzclose_r(job->file);
  if (job->fd >= 0)
    close(job->fd);
  free(job->text);
}

static int file_error (tp_Context *ctx, const char *path, const char *why) {
  return tp_fail(ctx, "cannot read '%s': %s", path, why);
}

/*
** strerror is not for threads, and strerror_r has two shapes. These are the
** errors that a reader of files meets.
*/
static const char *errno_text (int code) {
  switch (code) {
    case ENOENT: return "no such file";
    case EACCES: return "permission denied";
    case EISDIR: return "is a directory";
    case ENOTDIR: return "not a directory";
    case EMFILE:
    case ENFILE: return "too many open files";
    default: return "input/output error";
  }
}

/* O_NONBLOCK keeps open itself from blocking on a pipe; it means nothing to a
   regular file, and other files are refused. */
static int job_open (tp_Context *ctx, Job *job, const char *path) {
  struct stat about;
  do
    job->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  while (job->fd < 0 && errno == EINTR);
  if (job->fd < 0 || fstat(job->fd, &about) != 0)
    return file_error(ctx, path, errno_text(errno));
  if (!S_ISREG(about.st_mode))
    return file_error(ctx, path, "not a regular file");
  job->file = gzdopen(job->fd, "rb");
  if (job->file == NULL)
    return TP_NOMEM;
  job->fd = -1;
  return TP_OK;
}

/* Room for one more piece. */
static int job_grow (Job *job) {
  size_t room = job->room + (job->room > PIECE ? job->room : PIECE);
  char *text = realloc(job->text, room);
  if (text == NULL)
    return TP_NOMEM;
  job->text = text;
  job->room = room;
  return TP_OK;
}

/* A file that was cut off says so only when it is closed. */
static int job_close (tp_Context *ctx, Job *job, const char *path) {
  gzFile file = job->file;
  job->file = NULL;
  return gzclose_r(file) == Z_OK
             ? TP_OK
             : file_error(ctx, path, "it ends in the middle");
}

static int job_read (tp_Context *ctx, Job *job, const char *path) {
  for (;;) {
    int n, code;
    if (tp_cancelled(ctx))
      return tp_fail(ctx, "cancelled");
    if (job->room - job->length < PIECE && job_grow(job) != TP_OK)
      return TP_NOMEM;
    n = gzread(job->file, job->text + job->length, (unsigned)PIECE);
    if (n == 0)
      return job_close(ctx, job, path);
    if (n < 0) {
      const char *why = gzerror(job->file, &code); /* "<fd:4>: why" */
      if (strncmp(why, "<fd:", 4) == 0 && strstr(why, ": ") != NULL)
        why = strstr(why, ": ") + 2;
      return code == Z_MEM_ERROR ? TP_NOMEM : file_error(ctx, path, why);
    }
    job->length += (size_t)n;
    if (job->length > MOST)
      return file_error(ctx, path, "more than 1 GiB");
  }
}

/* gunzip.read(path) -> contents */
static int read_file (tp_Context *ctx) {
  size_t length;
  const char *path = tp_tobytes(ctx, 1, &length);
  Job *job;
  int rc;
  if (memchr(path, '\0', length) != NULL)
    return tp_fail(ctx, "a path cannot hold a zero byte");
  job = tp_userdata(ctx, sizeof *job, job_fini);
  if (job == NULL)
    return TP_NOMEM;
  job->fd = -1;
  if ((rc = job_open(ctx, job, path)) != TP_OK ||
      (rc = job_read(ctx, job, path)) != TP_OK)
    return rc;
  return tp_pushbytes(ctx, job->text, job->length);
}

static const tp_Function functions[] = {
    {"gunzip.read", read_file, "string -> string"}, {NULL, NULL, NULL}};

/* gunzip.now() -> seconds */
static int now (lua_State *L) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  lua_pushnumber(L, (lua_Number)t.tv_sec + (lua_Number)t.tv_nsec / 1e9);
  return 1;
}

LUAMOD_API int luaopen_gunzip (lua_State *L);

LUAMOD_API int luaopen_gunzip (lua_State *L) {
  tp_register(L, tp_open(L), functions);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, now);
  lua_setfield(L, -2, "now");
  return 1;
}
