#include "common.h"

#include <math.h>
#include <stdlib.h>

rd_kafka_t *make_client(
    rd_kafka_type_t type, const char *const *settings, void (*report)(rd_kafka_t *, const rd_kafka_message_t *, void *),
    void *opaque, baseline_result *result) {
  char text[400];
  rd_kafka_conf_t *configuration = rd_kafka_conf_new();
  for (size_t index = 0; settings[index]; index += 2) {
    if (rd_kafka_conf_set(configuration, settings[index], settings[index + 1], text, sizeof text) != RD_KAFKA_CONF_OK) {
      rd_kafka_conf_destroy(configuration);
      give_up(result, "cannot set a property", text);
      return NULL;
    }
  }
  if (report) rd_kafka_conf_set_dr_msg_cb(configuration, report);
  rd_kafka_conf_set_opaque(configuration, opaque);
  rd_kafka_t *client = rd_kafka_new(type, configuration, text, sizeof text);
  if (!client) {
    rd_kafka_conf_destroy(configuration);
    give_up(result, "cannot make a client", text);
  }
  return client;
}

static bool fetch_metadata(rd_kafka_t *client, const char *topic, baseline_result *result) {
  rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
  const struct rd_kafka_metadata *metadata = NULL;
  rd_kafka_resp_err_t error = rd_kafka_metadata(client, 0, handle, &metadata, 5000);
  if (metadata) rd_kafka_metadata_destroy(metadata);
  rd_kafka_topic_destroy(handle);
  return error ? give_up(result, "cannot read metadata", rd_kafka_err2str(error)) : true;
}

rd_kafka_topic_partition_list_t *assign_all(
    rd_kafka_t *consumer, const baseline_cluster *cluster, baseline_result *result) {
  if (!fetch_metadata(consumer, cluster->topic, result)) return NULL;
  rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(cluster->partitions);
  for (int32_t partition = 0; partition < cluster->partitions; partition++) {
    rd_kafka_topic_partition_list_add(list, cluster->topic, partition)->offset = 0;
  }
  rd_kafka_resp_err_t error = rd_kafka_assign(consumer, list);
  if (!error) return list;
  rd_kafka_topic_partition_list_destroy(list);
  give_up(result, "cannot assign", rd_kafka_err2str(error));
  return NULL;
}

static double setting(rd_kafka_t *consumer, const char *name) {
  char text[64] = "";
  size_t size = sizeof text;
  return rd_kafka_conf_get(rd_kafka_conf(consumer), name, text, &size) == RD_KAFKA_CONF_OK ? atof(text) : 0;
}

fetchers fetchers_of(rd_kafka_t *consumer, const baseline_cluster *cluster) {
  return (fetchers){
      .consumer = consumer,
      .cluster = cluster,
      .queue_bytes = setting(consumer, "queued.max.messages.kbytes") * 1024,
      .queue_records = setting(consumer, "queued.min.messages")};
}

static void wake(fetchers *all, int32_t partitions, int wait_ms) {
  // Later versions are told to look more often.
  if (rd_kafka_version() >= 0x020200ff) return;
  all->records = all->bytes = 0;
  all->was_full = false;
  rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
  for (int32_t count = 0; count < partitions; count++) {
    all->turn = (all->turn + 1) % all->cluster->partitions;
    rd_kafka_topic_partition_list_add(list, all->cluster->topic, all->turn)->offset = RD_KAFKA_OFFSET_END;
  }
  rd_kafka_offsets_for_times(all->consumer, list, wait_ms);
  rd_kafka_topic_partition_list_destroy(list);
}

void wake_fetchers_early(fetchers *all, rd_kafka_queue_t *queue) {
  if (all->records == 0) return;
  const double queued = (double)rd_kafka_queue_length(queue);
  const double bytes = queued * (double)all->bytes / (double)all->records / all->queue_bytes;
  const double share = fmax(bytes, queued / all->queue_records);
  if (share >= 0.75) all->was_full = true;
  if (all->was_full && share < 0.5) wake(all, all->cluster->partitions, 0);
}

void wake_fetchers(fetchers *all) {
  if (all->records > 0) wake(all, 1, 50);
}
