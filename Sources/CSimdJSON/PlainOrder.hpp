#ifndef PLAIN_ORDER_HPP
#define PLAIN_ORDER_HPP

#include "CSimdJSON.h"

#include <cstring>

/// Reads an order in one of its two plainest forms without a parser: the documented key order, ASCII without escapes,
/// numbers without sign and exponent, and white space nowhere (as this program writes) or once after every colon and
/// comma (as Python's json writes). Most orders look like this, and it takes a third of the time. It accepts only what
/// the parser accepts with the same result, and leaves every other value, all poison too, to the parser.
///
/// `bytes` is followed by `CSIMDJSON_PADDING` readable bytes. A text begins and ends before the end, and so does an amount;
/// between two such places lie at most a quantity and the two literals around it, 36 bytes. So no load of 16 bytes goes
/// further than the padding.
class plain_order {
 public:
  plain_order(const uint8_t *bytes, size_t length) noexcept : start(bytes), end(bytes + length) {}

  /// Fills `order` with texts that lie inside the value itself and at most `most` items; false when the value is not
  /// of a plain form.
  bool read(csimdjson_order &order, csimdjson_item *items, size_t most) const noexcept {
    constexpr size_t colon = sizeof "{\"event_type\":" - 1;
    if (start + colon >= end) return false;
    return start[colon] == ' ' ? read<true>(order, items, most) : read<false>(order, items, most);
  }

 private:
  const uint8_t *const start;
  const uint8_t *const end;

  /// What stands between two values, without and with spaces. A text keeps its quotes out, so they are here.
#define PLAIN(compact, spaced) (is_spaced ? literal(at, spaced) : literal(at, compact))

  template <bool is_spaced>
  bool read(csimdjson_order &order, csimdjson_item *items, size_t most) const noexcept {
    const uint8_t *at = start;
    csimdjson_text user_id;
    if (!PLAIN("{\"event_type\":\"OrderPlaced\",\"order_id\":\"", "{\"event_type\": \"OrderPlaced\", \"order_id\": \"") ||
        !text(at, order.order_id) || order.order_id.length == 0 ||
        !PLAIN("\",\"user_id\":\"", "\", \"user_id\": \"") || !text(at, user_id) ||
        !PLAIN("\",\"items\":[{\"item_id\":\"", "\", \"items\": [{\"item_id\": \"")) {
      return false;
    }
    size_t count = 0;
    do {
      if (count == most) return false;
      csimdjson_item &item = items[count++];
      if (!text(at, item.item_id) || item.item_id.length == 0 ||
          !PLAIN("\",\"quantity\":", "\", \"quantity\": ") || !quantity(at, item.quantity) ||
          !PLAIN(",\"price\":", ", \"price\": ") || !amount(at)) {
        return false;
      }
    } while (PLAIN("},{\"item_id\":\"", "}, {\"item_id\": \""));
    if (!PLAIN("}],\"total_amount\":", "}], \"total_amount\": ") || !amount(at) ||
        !PLAIN(",\"status\":\"", ", \"status\": \"")) {
      return false;
    }
    order.is_failed = literal(at, "failed\"");
    if (!order.is_failed && !literal(at, "placed\"")) return false;
    if (!PLAIN(",\"timestamp\":\"", ", \"timestamp\": \"") || !text(at, order.timestamp) || !literal(at, "\"}")) {
      return false;
    }
    order.items = items;
    order.item_count = count;
    return at == end;
  }

#undef PLAIN

  template <size_t size>
  [[gnu::always_inline]] static inline bool literal(const uint8_t *&at, const char (&expected)[size]) noexcept {
    static_assert(size - 1 + 16 <= CSIMDJSON_PADDING, "a literal, and the loads of a number behind it, stay inside it");
    if (std::memcmp(at, expected, size - 1) != 0) return false;
    at += size - 1;
    return true;
  }

  static constexpr uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;

  [[gnu::always_inline]] static inline uint64_t word(const uint8_t *at) noexcept {
    uint64_t word;
    std::memcpy(&word, at, sizeof word);
    return word;
  }

  /// The rest of a string of printable ASCII without backslashes, up to its quote, eight bytes at a time: the lowest
  /// marked byte is a true hit (Sean Eron Anderson, "Bit twiddling hacks", "Determine if a word has a byte less than n").
  [[gnu::always_inline]] inline bool text(const uint8_t *&at, csimdjson_text &text) const noexcept {
    const uint8_t *const first = at;
    while (at < end) {
      const uint64_t bytes = word(at);
      const uint64_t quotes = bytes ^ (ones * '"'), backslashes = bytes ^ (ones * '\\');
      const uint64_t marks = (((quotes - ones) & ~quotes) | ((backslashes - ones) & ~backslashes) |
                              ((bytes - ones * 0x20) & ~bytes) | bytes) & highs;
      if (marks != 0) {
        at += __builtin_ctzll(marks) / 8;
        if (at >= end || *at != '"') return false;
        text = {first, static_cast<size_t>(at - first)};
        return true;
      }
      at += sizeof bytes;
    }
    return false;
  }

  /// 1 … 999 999 999.
  [[gnu::always_inline]] static inline bool quantity(const uint8_t *&at, int32_t &value) noexcept {
    const uint8_t *const first = at;
    value = 0;
    if (*at == '0') return false;
    while (static_cast<uint8_t>(*at - '0') <= 9 && at - first < 9) value = value * 10 + (*at++ - '0');
    return at > first;
  }

  /// Not negative and below 10¹⁵: up to 15 digits, and up to 15 decimals.
  [[gnu::always_inline]] inline bool amount(const uint8_t *&at) const noexcept {
    if (at >= end) return false;
    const size_t whole = digits(at);
    if (whole == 0 || whole > 15 || (whole > 1 && *at == '0')) return false;
    at += whole;
    if (*at != '.') return at < end;
    const size_t decimals = digits(at + 1);
    if (decimals == 0 || decimals > 15) return false;
    at += 1 + decimals;
    return at < end;
  }

  /// How many digits stand here; 16 also means more.
  [[gnu::always_inline]] static inline size_t digits(const uint8_t *at) noexcept {
    const size_t low = digits_of(word(at));
    return low < 8 ? low : 8 + digits_of(word(at + 8));
  }

  /// Digits at the low end of eight bytes. A carry comes only from a byte that is marked itself, and goes upwards.
  [[gnu::always_inline]] static inline size_t digits_of(uint64_t bytes) noexcept {
    const uint64_t values = bytes ^ (ones * '0');
    const uint64_t marks = ((values + ones * (0x80 - 10)) | values) & highs;
    return marks == 0 ? 8 : static_cast<size_t>(__builtin_ctzll(marks) / 8);
  }
};

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the lowest marked byte must be the first one");

#endif
