#include "common.h"

typedef struct counts {
  int64_t acknowledged, failed;
} counts;

static void report(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
  (void)client;
  counts *found = opaque;
  if (message->err) {
    found->failed++;
  } else {
    found->acknowledged++;
  }
}

bool baseline_produce(
    const baseline_cluster *cluster, const uint8_t *bytes, const baseline_record *records, size_t record_count,
    int64_t count, baseline_result *result) {
  counts found = {0, 0};
  rd_kafka_t *client = make_client(RD_KAFKA_PRODUCER, cluster->settings, report, &found, result);
  if (!client) return false;
  rd_kafka_topic_t *topic = rd_kafka_topic_new(client, cluster->topic, NULL);
  const struct rd_kafka_metadata *metadata = NULL;
  if (rd_kafka_metadata(client, 0, topic, &metadata, 5000) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    rd_kafka_metadata_destroy(metadata);
  }
  const int64_t start = nanoseconds_now();
  for (int64_t index = 0; index < count; index++) {
    const baseline_record *record = &records[(size_t)index % record_count];
    while (rd_kafka_produce(
               topic, record->partition, RD_KAFKA_MSG_F_COPY, (void *)(bytes + record->value_start),
               record->value_length, bytes + record->key_start, record->key_length, NULL) != 0) {
      if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        found.failed++;
        break;
      }
      rd_kafka_poll(client, 10);
    }
    if (index % 1000 == 0) rd_kafka_poll(client, 0);
  }
  rd_kafka_flush(client, 60000);
  result->nanoseconds = nanoseconds_now() - start;
  result->records = found.acknowledged;
  rd_kafka_topic_destroy(topic);
  rd_kafka_destroy(client);
  return found.acknowledged == count ? true : give_up(result, "produce", "records were not acknowledged");
}
