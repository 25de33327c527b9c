#ifndef CWRITEBACK_H
#define CWRITEBACK_H

#include <stdint.h>

/// Has the kernel begin to bring written bytes of a file to the disk, where it can be told to (sync_file_range of Linux, which
/// Swift's modules of the C library leave out). Waits for nothing and promises nothing: fdatasync does.
void write_back_begin(int file, int64_t position, int64_t count);

#endif
