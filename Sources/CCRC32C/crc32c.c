#include "crc32c.h"

#include <string.h>

// Tables are filled before `main`, so that no call has to ask whether they are there.

enum { polynomial = 0x82f63b78 };  // reflected Castagnoli

// Bytes of each of the three streams that the hardware paths run side by side: the instruction takes one word a cycle
// but needs three cycles for each result.
enum { long_stream = 2048, short_stream = 256 };

static uint32_t slices[8][256];
static uint32_t over_long[4][256];
static uint32_t over_short[4][256];

static uint32_t apply(const uint32_t *matrix, uint32_t vector) {
  uint32_t sum = 0;
  for (; vector != 0; vector >>= 1, matrix++) {
    if (vector & 1) sum ^= *matrix;
  }
  return sum;
}

static void square(uint32_t *result, const uint32_t *matrix) {
  for (int bit = 0; bit < 32; bit++) result[bit] = apply(matrix, matrix[bit]);
}

// Fills the table that moves a CRC over `length` zero bytes; `length` is a power of two.
static void fill_shift(uint32_t table[4][256], size_t length) {
  uint32_t odd[32], even[32];
  odd[0] = polynomial;  // one zero bit
  for (int bit = 1; bit < 32; bit++) odd[bit] = (uint32_t)1 << (bit - 1);
  square(even, odd);  // two
  square(odd, even);  // four
  const uint32_t *matrix = odd;
  for (size_t bytes = length; bytes != 0; bytes >>= 1) {
    uint32_t *next = matrix == odd ? even : odd;
    square(next, matrix);
    matrix = next;
  }
  // The last squaring made 8 · length zero bits.
  for (uint32_t byte = 0; byte < 256; byte++) {
    for (int part = 0; part < 4; part++) table[part][byte] = apply(matrix, byte << (8 * part));
  }
}

__attribute__((constructor)) static void fill_tables(void) {
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) ? (uint32_t)polynomial : 0);
    slices[0][byte] = crc;
  }
  for (uint32_t byte = 0; byte < 256; byte++) {
    for (int part = 1; part < 8; part++) {
      slices[part][byte] = (slices[part - 1][byte] >> 8) ^ slices[0][slices[part - 1][byte] & 0xff];
    }
  }
  fill_shift(over_long, long_stream);
  fill_shift(over_short, short_stream);
}

uint32_t crc32c_extend_portable(uint32_t crc, const void *bytes, size_t length) {
  const uint8_t *next = bytes;
  uint32_t state = ~crc;
  while (length >= 8) {
    uint32_t low = state ^ ((uint32_t)next[0] | (uint32_t)next[1] << 8 | (uint32_t)next[2] << 16 | (uint32_t)next[3] << 24);
    state = slices[7][low & 0xff] ^ slices[6][(low >> 8) & 0xff] ^ slices[5][(low >> 16) & 0xff] ^ slices[4][low >> 24] ^
            slices[3][next[4]] ^ slices[2][next[5]] ^ slices[1][next[6]] ^ slices[0][next[7]];
    next += 8;
    length -= 8;
  }
  while (length-- > 0) state = (state >> 8) ^ slices[0][(state ^ *next++) & 0xff];
  return ~state;
}

#if defined(__x86_64__)
#include <nmmintrin.h>
#define HARDWARE_TARGET __attribute__((target("sse4.2")))
#define STEP8(state, word) _mm_crc32_u64((state), (word))
#define STEP1(state, byte) _mm_crc32_u8((uint32_t)(state), (byte))
static int has_hardware(void) { return __builtin_cpu_supports("sse4.2"); }
#elif defined(__aarch64__)
#include <arm_acle.h>
#if defined(__linux__)
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
static int has_hardware(void) { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }
#else
static int has_hardware(void) { return 1; }
#endif
#define HARDWARE_TARGET __attribute__((target("crc")))
#define STEP8(state, word) __crc32cd((uint32_t)(state), (word))
#define STEP1(state, byte) __crc32cb((uint32_t)(state), (byte))
#endif

#if defined(HARDWARE_TARGET)

static inline uint64_t load(const uint8_t *bytes) {
  uint64_t word;
  memcpy(&word, bytes, sizeof word);
  return word;
}

static inline uint32_t shift(uint32_t table[4][256], uint32_t crc) {
  return table[0][crc & 0xff] ^ table[1][(crc >> 8) & 0xff] ^ table[2][(crc >> 16) & 0xff] ^ table[3][crc >> 24];
}

HARDWARE_TARGET static const uint8_t *
three_streams(uint64_t *state, const uint8_t *next, size_t *length, size_t stream, uint32_t table[4][256]) {
  while (*length >= 3 * stream) {
    uint64_t first = *state, second = 0, third = 0;
    for (size_t at = 0; at < stream; at += 8) {
      first = STEP8(first, load(next + at));
      second = STEP8(second, load(next + stream + at));
      third = STEP8(third, load(next + 2 * stream + at));
    }
    first = shift(table, (uint32_t)first) ^ (uint32_t)second;
    *state = shift(table, (uint32_t)first) ^ (uint32_t)third;
    next += 3 * stream;
    *length -= 3 * stream;
  }
  return next;
}

HARDWARE_TARGET static uint32_t extend_hardware(uint32_t crc, const void *bytes, size_t length) {
  const uint8_t *next = bytes;
  uint64_t state = (uint32_t)~crc;
  next = three_streams(&state, next, &length, long_stream, over_long);
  next = three_streams(&state, next, &length, short_stream, over_short);
  for (; length >= 8; next += 8, length -= 8) state = STEP8(state, load(next));
  for (; length > 0; next++, length--) state = STEP1(state, *next);
  return ~(uint32_t)state;
}

uint32_t crc32c_extend(uint32_t crc, const void *bytes, size_t length) {
  return has_hardware() ? extend_hardware(crc, bytes, length) : crc32c_extend_portable(crc, bytes, length);
}

#else

uint32_t crc32c_extend(uint32_t crc, const void *bytes, size_t length) {
  return crc32c_extend_portable(crc, bytes, length);
}

#endif
