/* Writes down the system calls that make things durable, in order: loaded before the C library, it
 * takes each call, notes it in the file that NINES_CALLS names, and passes it on. A test compares
 * the list with what the disk's promises need; no other way shows that a flush reaches the kernel.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void note(const char *call, const char *path) {
  const char *list = getenv("NINES_CALLS");
  const char *folder = getenv("NINES_CALLS_FOLDER");
  if (!list || !folder || strncmp(path, folder, strlen(folder)) != 0) return;
  FILE *file = fopen(list, "a");
  if (!file) abort();
  fprintf(file, "%s %s\n", call, path[strlen(folder)] ? path + strlen(folder) + 1 : ".");
  fclose(file);
}

static void note_descriptor(const char *call, int descriptor) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return;
  path[length] = 0;
  note(call, path);
}

#define REAL(name, ...) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))(__VA_ARGS__)

int fsync(int descriptor) {
  note_descriptor("fsync", descriptor);
  return REAL(fsync, descriptor);
}

int fdatasync(int descriptor) {
  note_descriptor("fdatasync", descriptor);
  return REAL(fdatasync, descriptor);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t length, off64_t offset) {
  int flags = fcntl(descriptor, F_GETFL);
  const char *how = (flags & O_DIRECT) ? "write-direct" : "write-durable";
  note_descriptor((flags & O_DSYNC) ? how : "write", descriptor);
  return REAL(pwrite64, descriptor, bytes, length, offset);
}

int rename(const char *from, const char *to) {
  note("rename", to);
  return REAL(rename, from, to);
}

int unlink(const char *path) {
  note("unlink", path);
  return REAL(unlink, path);
}

int mkdir(const char *path, mode_t mode) {
  note("mkdir", path);
  return REAL(mkdir, path, mode);
}
