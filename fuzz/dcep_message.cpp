// What parses as a DCEP message is written back as the same bytes; nothing else is taken.
#include <cstdint>
#include <span>

#include "core/ensure.hpp"
#include "transport/webrtc/dcep.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  const ByteView bytes = std::as_bytes(std::span{data, size});
  const auto message = webrtc::parse_dcep(bytes);
  if (message.has_value()) {
    ENSURE(webrtc::write_dcep(*message) == to_buffer(bytes));
  } else {
    ENSURE(message.error().code == Errc::malformed);
  }
  return 0;
}
