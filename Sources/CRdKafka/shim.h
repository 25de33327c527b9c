// What Swift cannot call of librdkafka by itself: variadic functions, and what only some versions have. No logic.
#ifndef ORDERSTREAM_CRDKAFKA_SHIM_H
#define ORDERSTREAM_CRDKAFKA_SHIM_H

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

/// `rd_kafka_producev` with a copied payload. `headers` may be null; they belong to librdkafka once this succeeds.
static inline rd_kafka_resp_err_t orderstream_rd_kafka_produce(
    rd_kafka_t *rk, rd_kafka_topic_t *topic, int32_t partition, int64_t timestamp_ms, const void *key,
    size_t key_length, const void *value, size_t value_length, rd_kafka_headers_t *headers, void *opaque) {
  if (headers) {
    return rd_kafka_producev(
        rk, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_TIMESTAMP(timestamp_ms), RD_KAFKA_V_KEY(key, key_length),
        RD_KAFKA_V_VALUE((void *)value, value_length), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(opaque),
        RD_KAFKA_V_END);
  }
  return rd_kafka_producev(
      rk, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
      RD_KAFKA_V_TIMESTAMP(timestamp_ms), RD_KAFKA_V_KEY(key, key_length),
      RD_KAFKA_V_VALUE((void *)value, value_length), RD_KAFKA_V_OPAQUE(opaque), RD_KAFKA_V_END);
}

/// The generation that a member's metadata is of; INT32_MIN where librdkafka does not tell (before 2.8).
static inline int32_t orderstream_rd_kafka_generation(const rd_kafka_consumer_group_metadata_t *metadata) {
#if RD_KAFKA_VERSION >= 0x020800ff
  return rd_kafka_consumer_group_metadata_generation_id(metadata);
#else
  (void)metadata;
  return INT32_MIN;
#endif
}

/// Asks brokers what id a topic has, and writes it to `id` as text; an empty one where librdkafka (before 2.3) or the broker
/// does not tell, or nobody answers within `timeout_ms`. A topic made anew under its name has another id.
static inline void orderstream_rd_kafka_topic_id(
    rd_kafka_t *rk, const char *topic, int timeout_ms, char *id, size_t size) {
  id[0] = '\0';
#if RD_KAFKA_VERSION >= 0x020300ff
  char reason[256];
  rd_kafka_TopicCollection_t *topics = rd_kafka_TopicCollection_of_topic_names(&topic, 1);
  rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
  rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
  rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, reason, sizeof(reason));
  rd_kafka_DescribeTopics(rk, topics, options, queue);
  rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms + 1000);
  const rd_kafka_DescribeTopics_result_t *result = event ? rd_kafka_event_DescribeTopics_result(event) : NULL;
  size_t count = 0;
  const rd_kafka_TopicDescription_t **found = result ? rd_kafka_DescribeTopics_result_topics(result, &count) : NULL;
  if (found && count == 1 && !rd_kafka_error_code(rd_kafka_TopicDescription_error(found[0]))) {
    const rd_kafka_Uuid_t *uuid = rd_kafka_TopicDescription_topic_id(found[0]);
    if (uuid && (rd_kafka_Uuid_most_significant_bits(uuid) || rd_kafka_Uuid_least_significant_bits(uuid))) {
      const char *text = rd_kafka_Uuid_base64str(uuid);
      size_t index = 0;
      for (; text && text[index] && index + 1 < size; index++) id[index] = text[index];
      id[index] = '\0';
    }
  }
  if (event) rd_kafka_event_destroy(event);
  rd_kafka_queue_destroy(queue);
  rd_kafka_AdminOptions_destroy(options);
  rd_kafka_TopicCollection_destroy(topics);
#else
  (void)rk;
  (void)topic;
  (void)timeout_ms;
  (void)size;
#endif
}

/// One injected answer of the mock cluster: error and round-trip time for the next request of that kind.
static inline rd_kafka_resp_err_t orderstream_rd_kafka_mock_push_error_rtt(
    rd_kafka_mock_cluster_t *cluster, int32_t broker, int16_t api_key, rd_kafka_resp_err_t error, int rtt_ms) {
  return rd_kafka_mock_broker_push_request_error_rtts(cluster, broker, api_key, 1, error, rtt_ms);
}

#endif
