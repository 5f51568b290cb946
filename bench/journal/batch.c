// The ceiling that the journal is measured against: what this disk gives to a program that does
// nothing but copy a batch of records into one buffer and write it with one O_DSYNC call into
// preallocated zeros. No framing, no checksum, no segments, no recovery.
//
// usage: batch FILE RECORD_BYTES RECORDS_A_BATCH SECONDS
// Prints one JSON object: records a second, and what a batch took (median and 99th percentile).

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FILE_BYTES = 64 * 1024 * 1024, CHUNK_BYTES = 1024 * 1024, SAMPLES_MAX = 4 * 1024 * 1024 };

static double now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int by_value(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

static void preallocate(const char *path) {
  int file = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
  char *zeros = calloc(1, CHUNK_BYTES);
  if (file < 0 || zeros == NULL) fail("create");
  for (int done = 0; done < FILE_BYTES; done += CHUNK_BYTES) {
    if (write(file, zeros, CHUNK_BYTES) != CHUNK_BYTES) fail("preallocate");
  }
  if (fsync(file) != 0 || close(file) != 0) fail("fsync");
  free(zeros);
}

int main(int count, char **words) {
  if (count != 5) {
    fprintf(stderr, "usage: batch FILE RECORD_BYTES RECORDS_A_BATCH SECONDS\n");
    return 2;
  }
  size_t record_bytes = atoi(words[2]), records = atoi(words[3]);
  double deadline_us = atof(words[4]) * 1e6;
  size_t batch_bytes = record_bytes * records;
  char *record = malloc(record_bytes), *buffer = malloc(batch_bytes);
  double *samples_us = malloc(SAMPLES_MAX * sizeof(double));
  if (record == NULL || buffer == NULL || samples_us == NULL) fail("malloc");
  memset(record, 'x', record_bytes);
  preallocate(words[1]);
  int file = open(words[1], O_WRONLY | O_DSYNC);
  if (file < 0) fail("open");

  off_t offset = 0;
  size_t batches = 0;
  double begun_us = now_us(), last_us = begun_us;
  while (last_us - begun_us < deadline_us && batches < SAMPLES_MAX) {
    for (size_t each = 0; each < records; each++) {
      memcpy(record, &batches, sizeof batches < record_bytes ? sizeof batches : record_bytes);
      memcpy(buffer + each * record_bytes, record, record_bytes);
    }
    if (offset + (off_t)batch_bytes > FILE_BYTES) offset = 0;
    if (pwrite(file, buffer, batch_bytes, offset) != (ssize_t)batch_bytes) fail("pwrite");
    offset += batch_bytes;
    double at_us = now_us();
    samples_us[batches++] = at_us - last_us;
    last_us = at_us;
  }
  double seconds = (last_us - begun_us) / 1e6;
  qsort(samples_us, batches, sizeof(double), by_value);
  printf("{\"recordsPerSecond\":%.1f,\"p50Us\":%.1f,\"p99Us\":%.1f}\n",
         batches * records / seconds, samples_us[batches / 2], samples_us[batches * 99 / 100]);
  return 0;
}
