// What Swift cannot call of librdkafka by itself: variadic functions. No logic.
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

/// One injected answer of the mock cluster: error and round-trip time for the next request of that kind.
static inline rd_kafka_resp_err_t orderstream_rd_kafka_mock_push_error_rtt(
    rd_kafka_mock_cluster_t *cluster, int32_t broker, int16_t api_key, rd_kafka_resp_err_t error, int rtt_ms) {
  return rd_kafka_mock_broker_push_request_error_rtts(cluster, broker, api_key, 1, error, rtt_ms);
}

#endif
