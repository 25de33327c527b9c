#include "CBaseline.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t nanoseconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool write_all(int file, const uint8_t *bytes, size_t length) {
  while (length > 0) {
    const ssize_t put = write(file, bytes, length);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false;
    bytes += put;
    length -= (size_t)put;
  }
  return true;
}

static bool make_durable(int file) {
#ifdef __APPLE__
  return fcntl(file, F_FULLFSYNC) == 0;
#else
  return fdatasync(file) == 0;
#endif
}

bool baseline_file(
    const char *path, const uint8_t *bytes, size_t record_bytes, int64_t count, int64_t per_sync,
    baseline_result *result) {
  const int file = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
  uint8_t *block = malloc(record_bytes * (size_t)per_sync);
  bool is_fine = file >= 0 && block != NULL;
  const int64_t start = nanoseconds_now();
  result->records = 0;
  while (is_fine && result->records < count) {
    const int64_t rest = count - result->records, step = rest < per_sync ? rest : per_sync;
    for (int64_t record = 0; record < step; record++) {
      memcpy(block + (size_t)record * record_bytes, bytes, record_bytes);
    }
    is_fine = write_all(file, block, record_bytes * (size_t)step) && make_durable(file);
    result->records += step;
  }
  result->nanoseconds = nanoseconds_now() - start;
  if (!is_fine) snprintf(result->error, sizeof result->error, "%s: %s", path, strerror(errno));
  free(block);
  if (file >= 0) close(file);
  return is_fine;
}

static bool read_all(int file, uint8_t *bytes, size_t length) {
  while (length > 0) {
    const ssize_t got = read(file, bytes, length);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    bytes += got;
    length -= (size_t)got;
  }
  return true;
}

bool baseline_file_inventory(
    const char *source, const char *output, size_t order_bytes, size_t event_bytes, int64_t count, int64_t per_sync,
    baseline_result *result) {
  const int in = open(source, O_RDONLY), out = open(output, O_CREAT | O_TRUNC | O_WRONLY, 0600);
  uint8_t *orders = malloc(order_bytes * (size_t)per_sync), *events = malloc(event_bytes * (size_t)per_sync);
  bool is_fine = in >= 0 && out >= 0 && orders != NULL && events != NULL;
  const int64_t start = nanoseconds_now();
  result->records = 0;
  while (is_fine && result->records < count) {
    const int64_t rest = count - result->records, step = rest < per_sync ? rest : per_sync;
    is_fine = read_all(in, orders, order_bytes * (size_t)step);
    if (!is_fine) break;
    // Each event is made of bytes of its order.
    for (int64_t order = 0; order < step; order++) {
      const uint8_t *bytes = orders + (size_t)order * order_bytes;
      for (size_t done = 0; done < event_bytes;) {
        const size_t piece = event_bytes - done < order_bytes ? event_bytes - done : order_bytes;
        memcpy(events + (size_t)order * event_bytes + done, bytes, piece);
        done += piece;
      }
    }
    is_fine = write_all(out, events, event_bytes * (size_t)step) && make_durable(out);
    result->records += step;
  }
  result->nanoseconds = nanoseconds_now() - start;
  if (!is_fine) snprintf(result->error, sizeof result->error, "%s, %s: %s", source, output, strerror(errno));
  free(orders);
  free(events);
  if (in >= 0) close(in);
  if (out >= 0) close(out);
  return is_fine;
}

uint64_t baseline_touch(const uint8_t *bytes, size_t length) {
  // No byte of UTF-8 is 0xff, so memchr goes to the end.
  return (uint64_t)(memchr(bytes, 0xff, length) != NULL);
}
