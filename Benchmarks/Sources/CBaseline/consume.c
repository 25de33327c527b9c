#include "common.h"

enum { batch_size = 1000, short_wait_ms = 3, patience_seconds = 30 };

bool baseline_consume(const baseline_cluster *cluster, int64_t count, baseline_result *result) {
  rd_kafka_t *client = make_client(RD_KAFKA_CONSUMER, cluster->settings, NULL, NULL, result);
  if (!client) return false;
  rd_kafka_topic_partition_list_t *list = assign_all(client, cluster, result);
  if (!list) {
    rd_kafka_destroy(client);
    return false;
  }
  rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(client);
  static rd_kafka_message_t *messages[batch_size];
  int64_t start = 0, last = nanoseconds_now();
  fetchers fetchers = fetchers_of(client, cluster);
  result->records = 0;
  while (result->records < count && nanoseconds_now() - last < (int64_t)patience_seconds * 1000000000) {
    wake_fetchers_early(&fetchers, queue);
    ssize_t got = rd_kafka_consume_batch_queue(queue, short_wait_ms, messages, batch_size);
    if (got <= 0) {
      wake_fetchers(&fetchers);
      continue;
    }
    last = nanoseconds_now();
    if (start == 0) start = last;
    for (ssize_t index = 0; index < got; index++) {
      if (!messages[index]->err) {
        result->records++;
        note_record(&fetchers, messages[index]);
      }
      rd_kafka_message_destroy(messages[index]);
    }
  }
  result->nanoseconds = nanoseconds_now() - start;
  rd_kafka_topic_partition_list_destroy(list);
  rd_kafka_queue_destroy(queue);
  rd_kafka_consumer_close(client);
  rd_kafka_destroy(client);
  return result->records >= count ? true : give_up(result, "consume", "records did not come");
}
