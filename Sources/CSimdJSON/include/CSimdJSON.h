#ifndef CSIMDJSON_H
#define CSIMDJSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define CSIMDJSON_NOEXCEPT noexcept
extern "C" {
#else
#define CSIMDJSON_NOEXCEPT
#endif

/// Readable bytes that must follow every document: vectorised loads go past its end.
#define CSIMDJSON_PADDING 64

/// What decoding an order came to. The first kind that applies in this order of checks is the one reported.
typedef enum csimdjson_status {
  CSIMDJSON_OK = 0,
  /// Not one JSON value in UTF-8 with numbers in range; the caller looks for the exact reason.
  CSIMDJSON_UNPARSABLE,
  /// Arrays and objects lie deeper than 512.
  CSIMDJSON_NESTING,
  CSIMDJSON_NOT_AN_OBJECT,
  /// These three name the field.
  CSIMDJSON_DUPLICATE_FIELD,
  CSIMDJSON_MISSING_FIELD,
  CSIMDJSON_WRONG_TYPE,
  CSIMDJSON_UNKNOWN_EVENT_TYPE,
  CSIMDJSON_UNKNOWN_STATUS,
  CSIMDJSON_EMPTY_ORDER_ID,
  CSIMDJSON_NO_ITEMS,
  CSIMDJSON_NEGATIVE_AMOUNT,
  CSIMDJSON_EMPTY_ITEM_ID,
  CSIMDJSON_QUANTITY,
  CSIMDJSON_OUT_OF_MEMORY,
} csimdjson_status;

/// The fields that an order must have. `CSIMDJSON_ITEM` is an element of `items` itself.
typedef enum csimdjson_field {
  CSIMDJSON_EVENT_TYPE = 0,
  CSIMDJSON_ORDER_ID,
  CSIMDJSON_USER_ID,
  CSIMDJSON_ITEMS,
  CSIMDJSON_TOTAL_AMOUNT,
  CSIMDJSON_STATUS,
  CSIMDJSON_TIMESTAMP,
  CSIMDJSON_ITEM,
  CSIMDJSON_ITEM_ID,
  CSIMDJSON_ITEM_QUANTITY,
  CSIMDJSON_ITEM_PRICE,
} csimdjson_field;

/// Unescaped UTF-8; may hold NUL bytes and is not terminated.
typedef struct csimdjson_text {
  const uint8_t *bytes;
  size_t length;
} csimdjson_text;

typedef struct csimdjson_item {
  csimdjson_text item_id;
  /// 1 … 2³¹ − 1.
  int32_t quantity;
} csimdjson_item;

/// One decoded order. What it points at belongs to the parser and lives until its next decode, or lies in the value.
typedef struct csimdjson_order {
  csimdjson_text order_id;
  csimdjson_text timestamp;
  const csimdjson_item *items;
  size_t item_count;
  bool is_failed;
  /// The field at fault, after a status that names one.
  csimdjson_field field;
} csimdjson_order;

/// One decoded inventory event. What it points at belongs to the parser and lives until its next decode.
typedef struct csimdjson_event {
  csimdjson_text order_id;
  csimdjson_text item_id;
  csimdjson_text action;
  csimdjson_text timestamp;
  /// 1 … 2³¹ − 1.
  int32_t quantity;
} csimdjson_event;

/// Reused buffers of one decoding thread.
typedef struct csimdjson_parser csimdjson_parser;

/// NULL when there is no memory.
csimdjson_parser *csimdjson_parser_create(void) CSIMDJSON_NOEXCEPT;
void csimdjson_parser_destroy(csimdjson_parser *parser) CSIMDJSON_NOEXCEPT;

/// Reads one order. `bytes` is followed by `CSIMDJSON_PADDING` readable bytes and stays untouched. `order` is filled
/// after `CSIMDJSON_OK`; after another status only `field` means something. The timestamp is not looked into.
/// Allocates only for a document larger than all before it; memory for large documents is given back later.
csimdjson_status csimdjson_decode_order(
    csimdjson_parser *parser, const uint8_t *bytes, size_t length, csimdjson_order *order) CSIMDJSON_NOEXCEPT;

/// Reads one inventory event, by the rules of `csimdjson_decode_order`: any key order and white space, unknown fields.
/// False when it is none; `event` is filled after true.
bool csimdjson_decode_event(
    csimdjson_parser *parser, const uint8_t *bytes, size_t length, csimdjson_event *event) CSIMDJSON_NOEXCEPT;

/// A value, a key, or the begin or end of a container, in the order of the text.
typedef enum csimdjson_token_kind {
  CSIMDJSON_NULL = 0,
  CSIMDJSON_FALSE,
  CSIMDJSON_TRUE,
  CSIMDJSON_INTEGER,
  CSIMDJSON_UNSIGNED,
  CSIMDJSON_DECIMAL,
  CSIMDJSON_TEXT,
  CSIMDJSON_KEY,
  CSIMDJSON_BEGIN_ARRAY,
  CSIMDJSON_END_ARRAY,
  CSIMDJSON_BEGIN_OBJECT,
  CSIMDJSON_END_OBJECT,
} csimdjson_token_kind;

typedef struct csimdjson_token {
  csimdjson_token_kind kind;
  /// After TEXT and KEY; lives until the visitor returns.
  csimdjson_text text;
  /// After INTEGER.
  int64_t integer;
  /// After UNSIGNED: above the largest `int64_t`.
  uint64_t unsigned_integer;
  /// After DECIMAL.
  double decimal;
} csimdjson_token;

typedef void (*csimdjson_visitor)(void *context, const csimdjson_token *token);

/// Calls the visitor for each token of a JSON text of any shape, up to 512 levels deep. `bytes` is followed by
/// `CSIMDJSON_PADDING` readable bytes. False, before any call, when it is not one JSON value with numbers in range.
bool csimdjson_walk(
    csimdjson_parser *parser, const uint8_t *bytes, size_t length, csimdjson_visitor visitor,
    void *context) CSIMDJSON_NOEXCEPT;

/// The version of simdjson, `3.0.1`.
const char *csimdjson_version(void) CSIMDJSON_NOEXCEPT;

/// Whether the bytes are well-formed UTF-8. Needs no padding.
bool csimdjson_is_utf8(const uint8_t *bytes, size_t length) CSIMDJSON_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#undef CSIMDJSON_NOEXCEPT
#endif
