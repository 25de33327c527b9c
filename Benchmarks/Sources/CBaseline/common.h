#ifndef CBASELINE_COMMON_H
#define CBASELINE_COMMON_H

#include "CBaseline.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <time.h>

static inline int64_t nanoseconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline bool give_up(baseline_result *result, const char *what, const char *why) {
  snprintf(result->error, sizeof result->error, "%s: %s", what, why);
  return false;
}

/// A client with these settings and delivery reports to `report` (may be null); null with an error in `result`.
rd_kafka_t *make_client(
    rd_kafka_type_t type, const char *const *settings, void (*report)(rd_kafka_t *, const rd_kafka_message_t *, void *),
    void *opaque, baseline_result *result);

/// A position in each partition of a topic, all at the start, assigned; null with an error in `result`.
rd_kafka_topic_partition_list_t *assign_all(rd_kafka_t *consumer, const baseline_cluster *cluster, baseline_result *result);

/// librdkafka's fetchers sleep up to a second after their local queue was full; a question to the leader wakes them. The
/// same rule as the back end's (`FetcherWakeUp`).
typedef struct fetchers {
  rd_kafka_t *consumer;
  const baseline_cluster *cluster;
  double queue_bytes, queue_records;
  /// Taken since they were woken last.
  int64_t records, bytes;
  bool was_full;
  int32_t turn;
} fetchers;

fetchers fetchers_of(rd_kafka_t *consumer, const baseline_cluster *cluster);

static inline void note_record(fetchers *all, const rd_kafka_message_t *message) {
  all->records++;
  all->bytes += (int64_t)message->len;
}

/// While half of the queue is still there; waits for nothing.
void wake_fetchers_early(fetchers *all, rd_kafka_queue_t *queue);

/// When nothing comes.
void wake_fetchers(fetchers *all);

#endif
