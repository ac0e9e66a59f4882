/*
** digest: SHA-256 on the workers of tidepool, from libcrypto.
**
** A module as any user would write it: it sees tidepool.h, Lua and the
** library it wraps, and links against that library alone.
**
**   cc -shared -fPIC -I... digest.c -lcrypto -o digest.so
**
** `require "digest"` registers two functions for every pool:
**
**   digest.sha256       "bytes -> string"
**     the hash of a string, as 64 hexadecimal digits
**   digest.sha256_file  "string -> string, integer"
**     the hash of a regular file, and how many bytes it had; the worker
**     reads the file, Lua never sees its contents
**
** (Two names, since contents and path are both strings.) It returns a table
** with ordinary Lua functions and facts: now() answers the seconds of a
** clock that never goes back, libcrypto is that library's version.
*/
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <lua.h>

#include <lauxlib.h>

#include <tidepool.h>

/* Small enough for malloc to reuse the block from one file to the next. */
#define READ_PIECE ((size_t)64 * 1024)

/* How much of a string is hashed between two looks at tp_cancelled. */
#define STRING_PIECE ((size_t)1024 * 1024)

/* Bytes of a file between two reports of progress. */
#define REPORT_EVERY ((int64_t)4 * 1024 * 1024)

/* What one call owns; job_fini runs however the call ends. */
typedef struct Job {
  EVP_MD_CTX *md;
  int fd;
} Job;

static void job_fini (void *p) {
  Job *job = p;
  EVP_MD_CTX_free(job->md);
  if (job->fd >= 0)
    close(job->fd);
}

/*
** strerror is not for threads, and strerror_r has two shapes: POSIX answers
** a number and fills the buffer, glibc's own may answer another string.
*/
static const char *posix_text (int rc, const char *buffer) {
  return rc == 0 ? buffer : "unknown error";
}

static const char *glibc_text (const char *text, const char *buffer) {
  (void)buffer;
  return text;
}

#define ERRNO_ROOM 128

static const char *errno_text (int code, char buffer[ERRNO_ROOM]) {
  return _Generic(strerror_r(code, buffer, ERRNO_ROOM),
      int: posix_text,
      char *: glibc_text)(strerror_r(code, buffer, ERRNO_ROOM), buffer);
}

static int file_error (tp_Context *ctx, const char *what, const char *path,
                       int code) {
  char buffer[ERRNO_ROOM];
  return tp_fail(ctx, "cannot %s '%s': %s", what, path,
                 errno_text(code, buffer));
}

/* libcrypto queues errors thread by thread; the queue must not outlive the
   task, or the next one on this worker would read it as its own. */
static int crypto_error (tp_Context *ctx) {
  char reason[256];
  ERR_error_string_n(ERR_get_error(), reason, sizeof reason);
  ERR_clear_error();
  return tp_fail(ctx, "libcrypto: %s", reason);
}

static int job_new (tp_Context *ctx, Job **out) {
  Job *job = tp_userdata(ctx, sizeof *job, job_fini);
  if (job == NULL)
    return TP_NOMEM;
  job->fd = -1;
  job->md = EVP_MD_CTX_new();
  if (job->md == NULL || EVP_DigestInit_ex(job->md, EVP_sha256(), NULL) != 1)
    return crypto_error(ctx);
  *out = job;
  return TP_OK;
}

static int push_hash (tp_Context *ctx, Job *job) {
  static const char digits[] = "0123456789abcdef";
  unsigned char hash[EVP_MAX_MD_SIZE];
  char hex[2 * EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  if (EVP_DigestFinal_ex(job->md, hash, &length) != 1)
    return crypto_error(ctx);
  for (unsigned int i = 0; i < length; i++) {
    hex[2 * i] = digits[hash[i] >> 4];
    hex[2 * i + 1] = digits[hash[i] & 15u];
  }
  return tp_pushbytes(ctx, hex, (size_t)length * 2);
}

/* digest.sha256(data) -> hash */
static int sha256 (tp_Context *ctx) {
  Job *job;
  size_t left;
  const char *data = tp_tobytes(ctx, 1, &left);
  int rc = job_new(ctx, &job);
  if (rc != TP_OK)
    return rc;
  while (left > 0) {
    size_t piece = left < STRING_PIECE ? left : STRING_PIECE;
    if (tp_cancelled(ctx))
      return tp_fail(ctx, "cancelled");
    if (EVP_DigestUpdate(job->md, data, piece) != 1)
      return crypto_error(ctx);
    data += piece;
    left -= piece;
  }
  return push_hash(ctx, job);
}

/*
** Opens the file. Other kinds than regular files are refused: reading a
** terminal or a pipe may block, where no task can be cancelled, and a device
** may never end. O_NONBLOCK keeps open itself from blocking on a pipe; it
** means nothing to a regular file.
*/
static int job_open (tp_Context *ctx, Job *job, const char *path,
                     int64_t *size) {
  struct stat about;
  do
    job->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  while (job->fd < 0 && errno == EINTR);
  if (job->fd < 0)
    return file_error(ctx, "open", path, errno);
  if (fstat(job->fd, &about) != 0)
    return file_error(ctx, "read", path, errno);
  if (S_ISDIR(about.st_mode))
    return file_error(ctx, "read", path, EISDIR);
  if (!S_ISREG(about.st_mode))
    return tp_fail(ctx, "cannot read '%s': not a regular file", path);
  *size = (int64_t)about.st_size;
  return TP_OK;
}

/* Reads to the end of the file, whatever size it was said to have. */
static int job_read (tp_Context *ctx, Job *job, const char *path, int64_t size,
                     int64_t *total) {
  int64_t reported = 0;
  char *piece = tp_userdata(ctx, READ_PIECE, NULL);
  if (piece == NULL)
    return TP_NOMEM;
  for (;;) {
    ssize_t n;
    if (tp_cancelled(ctx))
      return tp_fail(ctx, "cancelled");
    n = read(job->fd, piece, READ_PIECE);
    if (n == 0)
      return TP_OK;
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return file_error(ctx, "read", path, errno);
    if (EVP_DigestUpdate(job->md, piece, (size_t)n) != 1)
      return crypto_error(ctx);
    *total += n;
    if (*total - reported >= REPORT_EVERY && *total <= size) {
      tp_progress(ctx, (double)*total / (double)size, NULL);
      reported = *total;
    }
  }
}

/* digest.sha256_file(path) -> hash, size */
static int sha256_file (tp_Context *ctx) {
  Job *job;
  size_t length;
  int64_t size = 0, total = 0;
  const char *path = tp_tobytes(ctx, 1, &length);
  int rc;
  if (memchr(path, '\0', length) != NULL)
    return tp_fail(ctx, "a path cannot hold a zero byte");
  if ((rc = job_new(ctx, &job)) != TP_OK ||
      (rc = job_open(ctx, job, path, &size)) != TP_OK ||
      (rc = job_read(ctx, job, path, size, &total)) != TP_OK ||
      (rc = push_hash(ctx, job)) != TP_OK)
    return rc;
  return tp_pushinteger(ctx, total);
}

static const tp_Function functions[] = {
    {"digest.sha256", sha256, "bytes -> string"},
    {"digest.sha256_file", sha256_file, "string -> string, integer"},
    {NULL, NULL, NULL}};

/* digest.now() -> seconds; for measuring, where os.clock counts the
   processor time of all threads. */
static int now (lua_State *L) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  lua_pushnumber(L, (lua_Number)t.tv_sec + (lua_Number)t.tv_nsec / 1e9);
  return 1;
}

LUAMOD_API int luaopen_digest (lua_State *L);

LUAMOD_API int luaopen_digest (lua_State *L) {
  const tp_Api *api;
  /* First of all: at exit libcrypto then cleans up after tidepool has
     stopped the workers that use it. */
  if (OPENSSL_init_crypto(OPENSSL_INIT_ADD_ALL_DIGESTS, NULL) != 1)
    return luaL_error(L, "cannot initialise libcrypto");
  api = tp_open(L);
  tp_register(L, api, functions);
  lua_createtable(L, 0, 2);
  lua_pushcfunction(L, now);
  lua_setfield(L, -2, "now");
  lua_pushstring(L, OpenSSL_version(OPENSSL_VERSION));
  lua_setfield(L, -2, "libcrypto");
  return 1;
}
