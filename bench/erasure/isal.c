// Intel's ISA-L, one core, at one instruction set: the native library that the kernels are measured
// against. Coefficients come from the bench, so that all multiply the same matrix.
//
// usage: isal KIND DATA_SHARDS PARITY_SHARDS SHARD_BYTES SECONDS COEFFICIENTS   (KIND: sse or avx2;
// COEFFICIENTS: parity rows, two hexadecimal digits each)
// Prints one JSON object: the median of GB/s of data, and a checksum (FNV-1a) of the parity.

#include <isa-l/erasure_code.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SAMPLES_MAX = 100000, PAD = 4096 + 320 };

static double now_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}

static int by_value(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

int main(int count, char **words) {
  if (count != 7) return 2;
  int avx2 = strcmp(words[1], "avx2") == 0;
  int data = atoi(words[2]), parity = atoi(words[3]), bytes = atoi(words[4]);
  double seconds = atof(words[5]);
  unsigned char coefficients[255 * 255], tables[255 * 255 * 32], *shards[255];
  for (int at = 0; at < data * parity; at++) {
    unsigned value;
    if (sscanf(words[6] + 2 * at, "%2x", &value) != 1) return 2;
    coefficients[at] = value;
  }
  // An odd number of cache lines apart, as the stripe lays them out.
  size_t stride = (bytes + 4095) / 4096 * 4096 + PAD;
  unsigned char *memory = aligned_alloc(4096, (stride * (data + parity) + 4095) / 4096 * 4096);
  if (memory == NULL) return 1;
  for (int at = 0; at < data + parity; at++) shards[at] = memory + stride * at;
  for (int at = 0; at < data; at++)
    for (int byte = 0; byte < bytes; byte++) shards[at][byte] = byte * 31 + at * 7;
  ec_init_tables(data, parity, coefficients, tables);

  static double samples[SAMPLES_MAX];
  int taken = 0;
  for (double end = now_seconds() + seconds; now_seconds() < end && taken < SAMPLES_MAX; taken++) {
    double begun = now_seconds();
    if (avx2) ec_encode_data_avx2(bytes, data, parity, tables, shards, shards + data);
    else ec_encode_data_sse(bytes, data, parity, tables, shards, shards + data);
    samples[taken] = now_seconds() - begun;
  }
  qsort(samples, taken, sizeof(double), by_value);
  uint64_t hash = 14695981039346656037u;
  for (int at = data; at < data + parity; at++)
    for (int byte = 0; byte < bytes; byte++) hash = (hash ^ shards[at][byte]) * 1099511628211u;
  printf("{\"gbPerSecond\":%.4f,\"parity\":\"%016llx\"}\n",
         (double)data * bytes / samples[taken / 2] / 1e9, (unsigned long long)hash);
  return 0;
}
