#define SIMDJSON_EXCEPTIONS 0
#include "CSimdJSON.h"
#include "Parser.hpp"
#include "PlainOrder.hpp"

#include <simdjson.h>

#include <cmath>
#include <cstring>
#include <iterator>
#include <new>
#include <string_view>

static_assert(simdjson::SIMDJSON_PADDING <= CSIMDJSON_PADDING, "a caller gives as much padding as simdjson needs");

using simdjson::dom::element;
using simdjson::dom::element_type;

namespace {

constexpr unsigned deepest_nesting = 512;

/// Whether an element reaches below `levels` further levels of arrays and objects.
bool deeper_than(element value, unsigned levels) noexcept {
  simdjson::dom::array array;
  simdjson::dom::object object;
  if (value.get(array) == simdjson::SUCCESS) {
    if (levels == 0) return true;
    for (element child : array) {
      if (deeper_than(child, levels - 1)) return true;
    }
  } else if (value.get(object) == simdjson::SUCCESS) {
    if (levels == 0) return true;
    for (auto field : object) {
      if (deeper_than(field.value, levels - 1)) return true;
    }
  }
  return false;
}

/// The elements of the known fields of one object, by `csimdjson_field` less `first`.
struct fields {
  element values[7];
  unsigned seen = 0;
};

constexpr int unknown_field = -1;

/// Compares a constant number of bytes, which takes no call.
template <size_t size>
inline bool equals(std::string_view text, const char (&name)[size]) noexcept {
  return text.size() == size - 1 && std::memcmp(text.data(), name, size - 1) == 0;
}

template <size_t size>
inline int is(std::string_view key, const char (&name)[size], int field) noexcept {
  return equals(key, name) ? field : unknown_field;
}

/// The names of an order's fields all have different lengths.
inline int order_field(std::string_view key) noexcept {
  switch (key.size()) {
    case 5: return is(key, "items", CSIMDJSON_ITEMS);
    case 6: return is(key, "status", CSIMDJSON_STATUS);
    case 7: return is(key, "user_id", CSIMDJSON_USER_ID);
    case 8: return is(key, "order_id", CSIMDJSON_ORDER_ID);
    case 9: return is(key, "timestamp", CSIMDJSON_TIMESTAMP);
    case 10: return is(key, "event_type", CSIMDJSON_EVENT_TYPE);
    case 12: return is(key, "total_amount", CSIMDJSON_TOTAL_AMOUNT);
    default: return unknown_field;
  }
}

/// So have those of an item.
inline int item_field(std::string_view key) noexcept {
  switch (key.size()) {
    case 5: return is(key, "price", CSIMDJSON_ITEM_PRICE);
    case 7: return is(key, "item_id", CSIMDJSON_ITEM_ID);
    case 8: return is(key, "quantity", CSIMDJSON_ITEM_QUANTITY);
    default: return unknown_field;
  }
}

/// Collects the fields `first … last`, each of them exactly once.
template <typename Lookup>
inline csimdjson_status collect(
    simdjson::dom::object object, Lookup lookup, int first, int last, fields &found, csimdjson_field &fault) noexcept {
  for (auto entry = object.begin(), end = object.end(); entry != end; ++entry) {
    const int field = lookup(entry.key());
    if (field == unknown_field) continue;
    const unsigned bit = 1u << (field - first);
    if (found.seen & bit) {
      fault = static_cast<csimdjson_field>(field);
      return CSIMDJSON_DUPLICATE_FIELD;
    }
    found.seen |= bit;
    found.values[field - first] = entry.value();
  }
  const unsigned missing = ((2u << (last - first)) - 1) & ~found.seen;
  if (missing == 0) return CSIMDJSON_OK;
  fault = static_cast<csimdjson_field>(first + __builtin_ctz(missing));
  return CSIMDJSON_MISSING_FIELD;
}

inline csimdjson_text text(std::string_view view) noexcept {
  return {reinterpret_cast<const uint8_t *>(view.data()), view.size()};
}

inline bool is_number(element value) noexcept {
  switch (value.type()) {
    case element_type::INT64:
    case element_type::UINT64:
    case element_type::DOUBLE: return true;
    default: return false;
  }
}

/// −0 is not negative.
inline bool is_negative(element number) noexcept {
  double value = 0;
  return number.get(value) == simdjson::SUCCESS && value < 0;
}

/// A whole number in 1 … 2³¹ − 1, in any form; 0 for every other number.
inline int32_t quantity(element number) noexcept {
  constexpr int64_t most = 2147483647;
  int64_t whole = 0;
  if (number.get(whole) == simdjson::SUCCESS) return whole >= 1 && whole <= most ? static_cast<int32_t>(whole) : 0;
  double value = 0;
  if (number.get(value) != simdjson::SUCCESS) return 0;
  return value >= 1 && value <= static_cast<double>(most) && std::trunc(value) == value ? static_cast<int32_t>(value) : 0;
}

inline csimdjson_status decode_item(element value, csimdjson_item &item, csimdjson_field &fault) noexcept {
  simdjson::dom::object object;
  if (value.get(object) != simdjson::SUCCESS) {
    fault = CSIMDJSON_ITEM;
    return CSIMDJSON_WRONG_TYPE;
  }
  fields found;
  const auto status = collect(object, item_field, CSIMDJSON_ITEM_ID, CSIMDJSON_ITEM_PRICE, found, fault);
  if (status != CSIMDJSON_OK) return status;

  std::string_view item_id;
  if (found.values[0].get(item_id) != simdjson::SUCCESS) {
    fault = CSIMDJSON_ITEM_ID;
    return CSIMDJSON_WRONG_TYPE;
  }
  for (int field : {CSIMDJSON_ITEM_QUANTITY, CSIMDJSON_ITEM_PRICE}) {
    if (!is_number(found.values[field - CSIMDJSON_ITEM_ID])) {
      fault = static_cast<csimdjson_field>(field);
      return CSIMDJSON_WRONG_TYPE;
    }
  }
  if (item_id.empty()) return CSIMDJSON_EMPTY_ITEM_ID;
  item.item_id = text(item_id);
  item.quantity = quantity(found.values[CSIMDJSON_ITEM_QUANTITY - CSIMDJSON_ITEM_ID]);
  if (item.quantity == 0) return CSIMDJSON_QUANTITY;
  return is_negative(found.values[CSIMDJSON_ITEM_PRICE - CSIMDJSON_ITEM_ID]) ? CSIMDJSON_NEGATIVE_AMOUNT : CSIMDJSON_OK;
}

/// The fields of an inventory event.
enum event_field_index { event_type, event_order_id, event_item_id, event_quantity, event_action, event_timestamp };

inline int event_field(std::string_view key) noexcept {
  switch (key.size()) {
    case 6: return is(key, "action", event_action);
    case 7: return is(key, "item_id", event_item_id);
    case 8: return key[0] == 'o' ? is(key, "order_id", event_order_id) : is(key, "quantity", event_quantity);
    case 9: return is(key, "timestamp", event_timestamp);
    case 10: return is(key, "event_type", event_type);
    default: return unknown_field;
  }
}

/// One value with all that is in it.
void walk(element value, csimdjson_visitor visitor, void *context) noexcept {
  csimdjson_token token{};
  auto tell = [&](csimdjson_token_kind kind) {
    token.kind = kind;
    visitor(context, &token);
  };
  switch (value.type()) {
    case element_type::ARRAY:
      tell(CSIMDJSON_BEGIN_ARRAY);
      for (element child : simdjson::dom::array(value.get_array().value_unsafe())) walk(child, visitor, context);
      tell(CSIMDJSON_END_ARRAY);
      break;
    case element_type::OBJECT:
      tell(CSIMDJSON_BEGIN_OBJECT);
      for (auto field : simdjson::dom::object(value.get_object().value_unsafe())) {
        token.text = text(field.key);
        tell(CSIMDJSON_KEY);
        walk(field.value, visitor, context);
      }
      tell(CSIMDJSON_END_OBJECT);
      break;
    case element_type::STRING:
      token.text = text(value.get_string().value_unsafe());
      tell(CSIMDJSON_TEXT);
      break;
    case element_type::INT64:
      token.integer = value.get_int64().value_unsafe();
      tell(CSIMDJSON_INTEGER);
      break;
    case element_type::UINT64:
      token.unsigned_integer = value.get_uint64().value_unsafe();
      tell(CSIMDJSON_UNSIGNED);
      break;
    case element_type::DOUBLE:
      token.decimal = value.get_double().value_unsafe();
      tell(CSIMDJSON_DECIMAL);
      break;
    case element_type::BOOL: tell(value.get_bool().value_unsafe() ? CSIMDJSON_TRUE : CSIMDJSON_FALSE); break;
    default: tell(CSIMDJSON_NULL); break;
  }
}

}  // namespace

csimdjson_parser *csimdjson_parser_create(void) noexcept { return new (std::nothrow) csimdjson_parser; }

void csimdjson_parser_destroy(csimdjson_parser *parser) noexcept { delete parser; }

bool csimdjson_is_utf8(const uint8_t *bytes, size_t length) noexcept {
  return simdjson::validate_utf8(reinterpret_cast<const char *>(bytes), length);
}

csimdjson_status csimdjson_decode_order(
    csimdjson_parser *parser, const uint8_t *bytes, size_t length, csimdjson_order *order) noexcept {
  // Newer versions of simdjson skip a byte-order mark; a JSON text begins with an ASCII character.
  if (length == 0 || bytes[0] >= 0x80) return CSIMDJSON_UNPARSABLE;
  plain_order plain(bytes, length);
  if (plain.read(*order, parser->plain_items, std::size(parser->plain_items))) return CSIMDJSON_OK;
  if (!parser->prepare(length)) return CSIMDJSON_OUT_OF_MEMORY;

  element root;
  if (parser->json.parse(bytes, length, false).get(root) != simdjson::SUCCESS) return CSIMDJSON_UNPARSABLE;
  // 513 levels take 513 bytes to open and 513 to close. simdjson itself counts empty containers differently.
  if (length > 2 * deepest_nesting && deeper_than(root, deepest_nesting)) return CSIMDJSON_NESTING;

  simdjson::dom::object object;
  if (root.get(object) != simdjson::SUCCESS) return CSIMDJSON_NOT_AN_OBJECT;
  fields found;
  auto status = collect(object, order_field, CSIMDJSON_EVENT_TYPE, CSIMDJSON_TIMESTAMP, found, order->field);
  if (status != CSIMDJSON_OK) return status;

  std::string_view texts[7];
  simdjson::dom::array items;
  for (int field = CSIMDJSON_EVENT_TYPE; field <= CSIMDJSON_TIMESTAMP; field++) {
    bool fits;
    switch (field) {
      case CSIMDJSON_ITEMS: fits = found.values[field].get(items) == simdjson::SUCCESS; break;
      case CSIMDJSON_TOTAL_AMOUNT: fits = is_number(found.values[field]); break;
      default: fits = found.values[field].get(texts[field]) == simdjson::SUCCESS; break;
    }
    if (!fits) {
      order->field = static_cast<csimdjson_field>(field);
      return CSIMDJSON_WRONG_TYPE;
    }
  }

  if (!equals(texts[CSIMDJSON_EVENT_TYPE], "OrderPlaced")) return CSIMDJSON_UNKNOWN_EVENT_TYPE;
  order->is_failed = equals(texts[CSIMDJSON_STATUS], "failed");
  if (!order->is_failed && !equals(texts[CSIMDJSON_STATUS], "placed")) return CSIMDJSON_UNKNOWN_STATUS;
  if (texts[CSIMDJSON_ORDER_ID].empty()) return CSIMDJSON_EMPTY_ORDER_ID;
  const size_t count = items.size();
  if (count == 0) return CSIMDJSON_NO_ITEMS;
  if (is_negative(found.values[CSIMDJSON_TOTAL_AMOUNT])) return CSIMDJSON_NEGATIVE_AMOUNT;

  if (!parser->reserve_items(count)) return CSIMDJSON_OUT_OF_MEMORY;
  size_t index = 0;
  for (element value : items) {
    status = decode_item(value, parser->items[index], order->field);
    if (status != CSIMDJSON_OK) return status;
    index++;
  }
  order->order_id = text(texts[CSIMDJSON_ORDER_ID]);
  order->timestamp = text(texts[CSIMDJSON_TIMESTAMP]);
  order->items = parser->items.get();
  order->item_count = count;
  return CSIMDJSON_OK;
}

bool csimdjson_decode_event(
    csimdjson_parser *parser, const uint8_t *bytes, size_t length, csimdjson_event *event) noexcept {
  if (length == 0 || bytes[0] >= 0x80 || !parser->prepare(length)) return false;
  simdjson::dom::object object;
  if (parser->json.parse(bytes, length, false).get(object) != simdjson::SUCCESS) return false;
  fields found;
  csimdjson_field fault;
  if (collect(object, event_field, event_type, event_timestamp, found, fault) != CSIMDJSON_OK) return false;
  std::string_view texts[event_timestamp + 1];
  for (int field = event_type; field <= event_timestamp; field++) {
    if (field != event_quantity && found.values[field].get(texts[field]) != simdjson::SUCCESS) return false;
  }
  if (!equals(texts[event_type], "InventoryEvent") || !is_number(found.values[event_quantity])) return false;
  event->order_id = text(texts[event_order_id]);
  event->item_id = text(texts[event_item_id]);
  event->action = text(texts[event_action]);
  event->timestamp = text(texts[event_timestamp]);
  event->quantity = quantity(found.values[event_quantity]);
  return event->quantity != 0;
}

bool csimdjson_walk(
    csimdjson_parser *parser, const uint8_t *bytes, size_t length, csimdjson_visitor visitor, void *context) noexcept {
  if (length == 0 || bytes[0] >= 0x80 || !parser->prepare(length)) return false;
  element root;
  if (parser->json.parse(bytes, length, false).get(root) != simdjson::SUCCESS) return false;
  if (length > 2 * deepest_nesting && deeper_than(root, deepest_nesting)) return false;
  walk(root, visitor, context);
  return true;
}

const char *csimdjson_version() noexcept {
#define CSIMDJSON_TEXT(x) #x
#define CSIMDJSON_VALUE(x) CSIMDJSON_TEXT(x)
  return CSIMDJSON_VALUE(SIMDJSON_VERSION);
}
