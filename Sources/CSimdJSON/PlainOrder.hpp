#ifndef PLAIN_ORDER_HPP
#define PLAIN_ORDER_HPP

#include "CSimdJSON.h"

#include <cstring>

/// Reads an order in its plainest form without a parser: the documented key order, ASCII without escapes, no white space
/// but perhaps one space after a colon or comma, numbers without sign and exponent. Most orders look like this, and it
/// takes less than half of the time. It accepts only what the parser accepts with the same result, and leaves every other
/// value, all poison too, to the parser.
class plain_order {
  const uint8_t *at;
  const uint8_t *const end;

 public:
  /// `bytes` is followed by `CSIMDJSON_PADDING` readable bytes. No token begins at or behind the end, and the longest
  /// that can begin before it has 31 bytes, so no load goes further than the padding.
  plain_order(const uint8_t *bytes, size_t length) noexcept : at(bytes), end(bytes + length) {}

  /// Fills `order` with texts that lie inside the value itself and at most `most` items; false when the value is not
  /// of the plain form.
  bool read(csimdjson_order &order, csimdjson_item *items, size_t most) noexcept {
    csimdjson_text user_id;
    if (!(literal("{\"event_type\":") && space() && literal("\"OrderPlaced\",") && space() &&
          literal("\"order_id\":") && space() && text(order.order_id) && order.order_id.length > 0 && comma() &&
          literal("\"user_id\":") && space() && text(user_id) && comma() && literal("\"items\":") && space() &&
          literal("["))) {
      return false;
    }
    size_t count = 0;
    do {
      if (count == most || !item(items[count])) return false;
      count++;
    } while (comma());
    if (!(literal("]") && comma() && literal("\"total_amount\":") && space() && amount() && comma() &&
          literal("\"status\":") && space())) {
      return false;
    }
    order.is_failed = literal("\"failed\"");
    if (!(order.is_failed || literal("\"placed\""))) return false;
    if (!(comma() && literal("\"timestamp\":") && space() && text(order.timestamp) && literal("}"))) return false;
    order.items = items;
    order.item_count = count;
    return at == end;
  }

 private:
  template <size_t size>
  inline bool literal(const char (&expected)[size]) noexcept {
    if (at >= end || std::memcmp(at, expected, size - 1) != 0) return false;
    at += size - 1;
    return true;
  }

  inline bool space() noexcept {
    at += *at == ' ';
    return true;
  }

  inline bool comma() noexcept { return literal(",") && space(); }

  inline bool item(csimdjson_item &item) noexcept {
    return literal("{\"item_id\":") && space() && text(item.item_id) && item.item_id.length > 0 && comma() &&
           literal("\"quantity\":") && space() && quantity(item.quantity) && comma() && literal("\"price\":") &&
           space() && amount() && literal("}");
  }

  /// A string of printable ASCII without quotes and backslashes, eight bytes at a time: the lowest marked byte is a
  /// true hit (Sean Eron Anderson, "Bit twiddling hacks", "Determine if a word has a byte less than n").
  inline bool text(csimdjson_text &text) noexcept {
    if (at >= end || *at != '"') return false;
    const uint8_t *const start = ++at;
    constexpr uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    while (at < end) {
      uint64_t word;
      std::memcpy(&word, at, sizeof word);
      const uint64_t quotes = word ^ (ones * '"'), backslashes = word ^ (ones * '\\');
      const uint64_t marks = (((quotes - ones) & ~quotes) | ((backslashes - ones) & ~backslashes) |
                              ((word - ones * 0x20) & ~word) | word) & highs;
      if (marks != 0) {
        at += __builtin_ctzll(marks) / 8;
        if (at >= end || *at != '"') return false;
        text = {start, static_cast<size_t>(at - start)};
        at++;
        return true;
      }
      at += sizeof word;
    }
    return false;
  }

  inline bool is_digit() const noexcept { return static_cast<uint8_t>(*at - '0') <= 9; }

  /// 1 … 999 999 999.
  inline bool quantity(int32_t &value) noexcept {
    if (at >= end || *at == '0') return false;
    const uint8_t *const start = at;
    value = 0;
    while (is_digit() && at - start < 9) value = value * 10 + (*at++ - '0');
    return at > start;
  }

  /// Not negative and below 10¹⁵: up to 15 digits, and up to 15 decimals.
  inline bool amount() noexcept {
    if (at >= end) return false;
    const bool starts_with_zero = *at == '0';
    const size_t digits = skip_digits();
    if (digits == 0 || (starts_with_zero && digits > 1)) return false;
    if (*at != '.') return true;
    at++;
    return skip_digits() > 0;
  }

  inline size_t skip_digits() noexcept {
    const uint8_t *const start = at;
    while (is_digit() && at - start < 15) at++;
    return static_cast<size_t>(at - start);
  }
};

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the lowest marked byte must be the first one");

#endif
