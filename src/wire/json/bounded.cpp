#include "wire/json/bounded.hpp"

#include <new>
#include <utility>

#include <boost/json/parser.hpp>
#include <fmt/format.h>

namespace sluice::wire::json {

// Boost.JSON 1.83 gives back with another alignment than it asked with, and a block of its monotonic_resource
// with less than its size, as its own resources, which look at neither, let it.
void* CappedMemory::do_allocate(std::size_t size, std::size_t alignment) {
  if (size > left_ || alignment > __STDCPP_DEFAULT_NEW_ALIGNMENT__) throw std::bad_alloc{};
  void* const memory = ::operator new(size);
  left_ -= size;
  return memory;
}

void CappedMemory::do_deallocate(void* memory, std::size_t size, std::size_t /*alignment*/) {
  ::operator delete(memory);
  left_ += size;
}

Result<boost::json::value> parse(std::string_view text, const Limits& limits) {
  if (size_of(as_bytes(text)) > limits.text)
    return fail(Errc::limit_exceeded, fmt::format("JSON of more than {} bytes", limits.text.count()));
  // Both the parser's own stack and the values: the stack holds every item of a list until the list ends.
  const auto memory = boost::json::make_shared_resource<CappedMemory>(limits.memory);
  boost::json::parse_options options;
  options.max_depth = static_cast<unsigned char>(limits.depth);
  try {
    boost::json::parser parser{memory, options};
    parser.reset(memory);
    boost::json::error_code error;
    parser.write(boost::json::string_view{text.data(), text.size()}, error);
    if (error) return fail(Errc::malformed, "no JSON: " + error.message());
    return parser.release();
  } catch (const std::bad_alloc&) {
    return fail(Errc::limit_exceeded,
                fmt::format("JSON whose values need more than {} bytes", limits.memory.count()));
  }
}

}  // namespace sluice::wire::json
