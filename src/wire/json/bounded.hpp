#pragma once

#include <cstddef>
#include <string_view>

#include <boost/json/memory_resource.hpp>
#include <boost/json/value.hpp>

#include "core/bytes.hpp"
#include "core/error.hpp"

/// JSON from outside. A few bytes of text can stand for many bytes of values (`{}` is 2 and becomes 24), so
/// the size of the text alone bounds nothing.
namespace sluice::wire::json {

/// Memory up to a limit, from the heap. What would pass the limit throws `std::bad_alloc`, as a heap that is
/// full does. One thread.
class CappedMemory final : public boost::json::memory_resource {
 public:
  explicit CappedMemory(Bytes limit) : left_(static_cast<std::size_t>(limit.count())) {}

 private:
  void* do_allocate(std::size_t size, std::size_t alignment) override;
  void do_deallocate(void* memory, std::size_t size, std::size_t alignment) override;
  [[nodiscard]] bool do_is_equal(const boost::json::memory_resource& other) const noexcept override {
    return this == &other;
  }

  std::size_t left_;
};

/// What one kind of text may be and cost.
struct Limits {
  Bytes text;
  Bytes memory;  ///< Of the values, and while they are read: a dozen times the text is plenty for ours.
  std::size_t depth = 16;
};

/// One value of strict JSON (RFC 8259). It keeps its capped memory alive by itself. Errors: `malformed`;
/// `limit_exceeded` for a text, or values, beyond the limits. The messages are for a person and quote
/// nothing.
[[nodiscard]] Result<boost::json::value> parse(std::string_view text, const Limits& limits);

}  // namespace sluice::wire::json
