#ifndef PARSER_HPP
#define PARSER_HPP

#include "CSimdJSON.h"

#include <simdjson.h>

#include <memory>
#include <new>

/// Buffers for documents up to this many bytes are kept for good (they take about 14 times as much)…
inline constexpr size_t kept_capacity = 64 * 1024;
/// … and larger ones until so many documents in a row did not need them.
inline constexpr uint32_t small_documents_before_release = 1000;
inline constexpr size_t kept_items = 1024;

struct csimdjson_parser {
  simdjson::dom::parser json;
  std::unique_ptr<csimdjson_item[]> items;
  size_t item_capacity = 0;
  uint32_t small_documents = 0;
  csimdjson_item plain_items[16];

  /// Gives the parser buffers for documents of exactly this size.
  bool allocate(size_t capacity) noexcept {
    return json.allocate(capacity) == simdjson::SUCCESS && json.doc.allocate(capacity) == simdjson::SUCCESS;
  }

  /// Makes room for a document; forgets unusually large buffers that have not been needed for a while.
  bool prepare(size_t length) noexcept {
    if (length > kept_capacity) {
      small_documents = 0;
      if (length <= json.doc.capacity()) return true;
      size_t capacity = kept_capacity;
      while (capacity < length) capacity *= 2;
      return allocate(capacity);
    }
    if (json.doc.capacity() > kept_capacity || item_capacity > kept_items) {
      if (++small_documents < small_documents_before_release) return true;
      small_documents = 0;
      items.reset();
      item_capacity = 0;
      return allocate(kept_capacity);
    }
    return json.doc.capacity() == kept_capacity || allocate(kept_capacity);
  }

  bool reserve_items(size_t count) noexcept {
    if (count <= item_capacity) return true;
    size_t capacity = 64;
    while (capacity < count) capacity *= 2;
    items.reset(new (std::nothrow) csimdjson_item[capacity]);
    item_capacity = items ? capacity : 0;
    return items != nullptr;
  }
};

#endif
