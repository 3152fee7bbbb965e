// The n-th call of what writes files fails with an error of one's choice; by LD_PRELOAD.
// From Python: ctypes.CDLL(None).fail_at(n, errno, kinds); fail_at(0, 0, 0) ends it and gives how
// many calls were counted. Only files under the folder named by FAIL_UNDER count, sockets never.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITES = 1, OPENS = 2, RENAMES = 4, SYNCS = 8 };
static long left, counted;
static int error, kinds, lasting;

long fail_at(long n, int number, int which, int goes_on) {
  long before = counted;
  left = n, error = number, kinds = which, lasting = goes_on, counted = 0;
  return before;
}

static int ours(const char *path) {
  const char *folder = getenv("FAIL_UNDER");
  return folder && path && strncmp(path, folder, strlen(folder)) == 0;
}

static int ours_fd(int fd) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  if (n < 0) return 0;
  path[n] = 0;
  return ours(path);
}

static int fails(int kind) {
  if (!(kinds & kind)) return 0;
  counted++;
  if (left > 0 && --left == 0) {
    if (lasting) left = 1;
    errno = error;
    return 1;
  }
  return 0;
}

#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t n) {
  return kinds && ours_fd(fd) && fails(WRITES) ? -1 : REAL(write)(fd, data, n);
}
ssize_t pwrite(int fd, const void *data, size_t n, off_t at) {
  return kinds && ours_fd(fd) && fails(WRITES) ? -1 : REAL(pwrite)(fd, data, n, at);
}
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) {
  return kinds && ours_fd(fd) && fails(WRITES) ? -1 : REAL(pwrite64)(fd, data, n, at);
}
int fsync(int fd) { return kinds && ours_fd(fd) && fails(SYNCS) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return kinds && ours_fd(fd) && fails(SYNCS) ? -1 : REAL(fdatasync)(fd); }
int rename(const char *from, const char *to) {
  return kinds && ours(to) && fails(RENAMES) ? -1 : REAL(rename)(from, to);
}

#define OPEN(name, before, args)                                        \
  {                                                                     \
    mode_t mode = 0;                                                    \
    if (flags & (O_CREAT | O_TMPFILE)) {                                \
      va_list rest;                                                     \
      va_start(rest, flags);                                            \
      mode = va_arg(rest, int);                                         \
      va_end(rest);                                                     \
    }                                                                   \
    int writing = (flags & O_ACCMODE) != O_RDONLY;                      \
    if (kinds && ours(path) && (writing || error == EMFILE) && fails(OPENS)) return -1; \
    return REAL(name) args;                                             \
  }
int open(const char *path, int flags, ...) OPEN(open, , (path, flags, mode))
int open64(const char *path, int flags, ...) OPEN(open64, , (path, flags, mode))
int openat(int at, const char *path, int flags, ...) OPEN(openat, , (at, path, flags, mode))
int openat64(int at, const char *path, int flags, ...) OPEN(openat64, , (at, path, flags, mode))
