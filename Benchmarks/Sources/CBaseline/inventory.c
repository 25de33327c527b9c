#include "common.h"

#include <string.h>

enum { batch_size = 1000, short_wait_ms = 3, patience_seconds = 30 };

static const char output_value[] =
    "{\"event_type\":\"InventoryEvent\",\"order_id\":\"order_000001\",\"item_id\":\"burger\",\"quantity\":2,"
    "\"action\":\"reserve\",\"timestamp\":\"2024-01-15T10:30:00\"}";

typedef struct job {
  rd_kafka_t *consumer, *producer;
  rd_kafka_topic_t *topic;
  rd_kafka_topic_partition_list_t *positions;
  rd_kafka_consumer_group_metadata_t *member;
  const baseline_cluster *output;
  baseline_result *result;
} job;

static bool failed(job *job, const char *what, rd_kafka_error_t *error) {
  if (!error) return false;
  give_up(job->result, what, rd_kafka_error_string(error));
  rd_kafka_error_destroy(error);
  return true;
}

static bool send_outputs(job *job, const rd_kafka_message_t *order) {
  const int outputs = order->offset % 2 == 0 ? 2 : 3;
  for (int line = 0; line < outputs; line++) {
    char source[96];
    const int length = snprintf(
        source, sizeof source, "order-events/%d/%lld/%d", order->partition, (long long)order->offset, line);
    rd_kafka_headers_t *headers = rd_kafka_headers_new(1);
    rd_kafka_header_add(headers, "source", 6, source, length);
    rd_kafka_resp_err_t error;
    do {
      error = rd_kafka_producev(
          job->producer, RD_KAFKA_V_RKT(job->topic), RD_KAFKA_V_PARTITION(order->partition % job->output->partitions),
          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(order->key, order->key_len),
          RD_KAFKA_V_VALUE((void *)output_value, sizeof output_value - 1), RD_KAFKA_V_HEADERS(headers),
          RD_KAFKA_V_END);
      if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) rd_kafka_poll(job->producer, 10);
    } while (error == RD_KAFKA_RESP_ERR__QUEUE_FULL);
    if (error) {
      rd_kafka_headers_destroy(headers);
      return give_up(job->result, "cannot send an output", rd_kafka_err2str(error));
    }
  }
  return true;
}

static bool commit(job *job) {
  rd_kafka_flush(job->producer, 15000);
  return !failed(
             job, "send_offsets",
             rd_kafka_send_offsets_to_transaction(job->producer, job->positions, job->member, -1)) &&
         !failed(job, "commit_transaction", rd_kafka_commit_transaction(job->producer, -1));
}

static bool run(job *job, const baseline_cluster *source, int64_t count, int64_t per_commit) {
  rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(job->consumer);
  static rd_kafka_message_t *messages[batch_size];
  int64_t start = 0, last = nanoseconds_now(), pending = 0;
  fetchers fetchers = fetchers_of(job->consumer, source);
  bool is_open = false, is_fine = true;
  while (is_fine && job->result->records < count && nanoseconds_now() - last < (int64_t)patience_seconds * 1000000000) {
    wake_fetchers_early(&fetchers, queue);
    ssize_t got = rd_kafka_consume_batch_queue(queue, short_wait_ms, messages, batch_size);
    if (got <= 0) {
      wake_fetchers(&fetchers);
      continue;
    }
    last = nanoseconds_now();
    if (start == 0) start = last;
    for (ssize_t index = 0; index < got; index++) {
      rd_kafka_message_t *message = messages[index];
      if (is_fine && !message->err) {
        if (!is_open) is_fine = !failed(job, "begin_transaction", rd_kafka_begin_transaction(job->producer));
        is_open = true;
        is_fine = is_fine && send_outputs(job, message);
        job->positions->elems[message->partition].offset = message->offset + 1;
        job->result->records++;
        note_record(&fetchers, message);
        pending++;
      }
      rd_kafka_message_destroy(message);
    }
    if (is_fine && is_open && (pending >= per_commit || job->result->records >= count)) {
      is_fine = commit(job);
      is_open = false;
      pending = 0;
    }
  }
  job->result->nanoseconds = nanoseconds_now() - start;
  rd_kafka_queue_destroy(queue);
  if (is_fine && job->result->records < count) return give_up(job->result, "inventory", "orders did not come");
  return is_fine;
}

bool baseline_inventory(
    const baseline_cluster *source, const baseline_cluster *output, int64_t count, int64_t per_commit,
    baseline_result *result) {
  result->records = 0;
  job job = {.output = output, .result = result};
  job.consumer = make_client(RD_KAFKA_CONSUMER, source->settings, NULL, NULL, result);
  if (!job.consumer) return false;
  job.producer = make_client(RD_KAFKA_PRODUCER, output->settings, NULL, NULL, result);
  bool is_fine = false;
  if (job.producer) {
    job.topic = rd_kafka_topic_new(job.producer, output->topic, NULL);
    const struct rd_kafka_metadata *metadata = NULL;
    if (rd_kafka_metadata(job.producer, 0, job.topic, &metadata, 5000) == RD_KAFKA_RESP_ERR_NO_ERROR) {
      rd_kafka_metadata_destroy(metadata);
    }
    is_fine = !failed(&job, "init_transactions", rd_kafka_init_transactions(job.producer, 30000));
    if (is_fine) {
      job.positions = assign_all(job.consumer, source, result);
      job.member = rd_kafka_consumer_group_metadata(job.consumer);
      is_fine = job.positions && run(&job, source, count, per_commit);
    }
    if (job.member) rd_kafka_consumer_group_metadata_destroy(job.member);
    if (job.positions) rd_kafka_topic_partition_list_destroy(job.positions);
    rd_kafka_topic_destroy(job.topic);
    rd_kafka_destroy(job.producer);
  }
  rd_kafka_consumer_close(job.consumer);
  rd_kafka_destroy(job.consumer);
  return is_fine;
}
