#ifndef CBASELINE_H
#define CBASELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// What the same job costs without orderstream: plain C loops. Each returns false and a sentence in `error` when it could
/// not do its work.

typedef struct baseline_result {
  int64_t records;
  /// First record to last acknowledgement (produce), last record (consume) or last commit (inventory).
  int64_t nanoseconds;
  char error[512];
} baseline_result;

/// A record that lies ready in one block of bytes.
typedef struct baseline_record {
  int32_t partition;
  size_t key_start, key_length, value_start, value_length;
} baseline_record;

/// Where to, and librdkafka's settings: key, value, key, value, …, NULL.
typedef struct baseline_cluster {
  const char *const *settings;
  const char *topic;
  int32_t partitions;
} baseline_cluster;

/// Sends `count` records, the ready ones over and over, and waits for the last acknowledgement.
bool baseline_produce(
    const baseline_cluster *cluster, const uint8_t *bytes, const baseline_record *records, size_t record_count,
    int64_t count, baseline_result *result);

/// Consumes `count` records from the start of every partition and throws them away.
bool baseline_consume(const baseline_cluster *cluster, int64_t count, baseline_result *result);

/// Consumes `count` orders from the start and writes two or three ready outputs for each, with one header, in
/// transactions of `per_commit` orders that also commit the offsets.
bool baseline_inventory(
    const baseline_cluster *source, const baseline_cluster *output, int64_t count, int64_t per_commit,
    baseline_result *result);

/// Appends `count` records of `record_bytes` bytes to a new file and makes it durable after each `per_sync` records.
bool baseline_file(
    const char *path, const uint8_t *bytes, size_t record_bytes, int64_t count, int64_t per_sync,
    baseline_result *result);

/// Reads `count` orders of `order_bytes` bytes each from a file, appends `event_bytes` bytes to another one for each, and
/// makes that durable after each `per_sync` orders.
bool baseline_file_inventory(
    const char *source, const char *output, size_t order_bytes, size_t event_bytes, int64_t count, int64_t per_sync,
    baseline_result *result);

/// Looks at every byte once: how fast memory can be read by code that does nothing else.
uint64_t baseline_touch(const uint8_t *bytes, size_t length);

/// Keeps this thread, and every thread that it starts from now on, on one core; false where it has only one, or the
/// system cannot. `baseline_use_all_cores` ends it.
bool baseline_use_one_core(void);
void baseline_use_all_cores(void);

#endif
