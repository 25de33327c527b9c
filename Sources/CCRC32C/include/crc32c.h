#ifndef ORDERSTREAM_CRC32C_H
#define ORDERSTREAM_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/// Extends a CRC-32C (Castagnoli, as in RFC 3720) by `length` bytes; start with 0. The result over several pieces is
/// the result over their concatenation. Uses the processor's instruction where there is one. Any thread.
uint32_t crc32c_extend(uint32_t crc, const void *bytes, size_t length);

/// The same by tables alone, for tests that compare the two.
uint32_t crc32c_extend_portable(uint32_t crc, const void *bytes, size_t length);

#endif
