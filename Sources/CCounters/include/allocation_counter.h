#ifndef ALLOCATION_COUNTER_H
#define ALLOCATION_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

/// Whether this build counts: glibc only, and not under a sanitizer, which has an allocator of its own.
bool allocation_counter_is_active(void);

/// Allocations (malloc, calloc, realloc, aligned ones) that the calling thread has made so far.
uint64_t allocation_counter_thread(void);

/// Allocations that all threads have made so far.
uint64_t allocation_counter_process(void);

#endif
