#define _GNU_SOURCE
#include "CWriteBack.h"

#include <fcntl.h>

void write_back_begin(int file, int64_t position, int64_t count) {
#ifdef SYNC_FILE_RANGE_WRITE
  (void)sync_file_range(file, position, count, SYNC_FILE_RANGE_WRITE);
#else
  (void)file, (void)position, (void)count;
#endif
}
