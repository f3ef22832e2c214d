// What decodes as a tunnel packet is encoded as the same bytes, but for what a newer HELLO has behind the
// known fields; nothing else is taken, and every refusal has a sentence.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/ensure.hpp"
#include "wire/tunnel/packet.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  const ByteView message = std::as_bytes(std::span{data, size});
  const auto packet = wire::decode(message);
  if (!packet.has_value()) {
    ENSURE(packet.error().code == Errc::malformed && !packet.error().message.empty());
    return 0;
  }
  ByteBuffer again;
  wire::encode(*packet, again);
  const bool may_be_longer = wire::type_of(*packet) == wire::PacketType::hello;
  ENSURE(may_be_longer ? again.size() <= message.size() : again.size() == message.size());
  ENSURE(std::ranges::equal(again, message.first(again.size())));
  const auto back = wire::decode(again);
  ENSURE(back.has_value() && *back == *packet);
  return 0;
}
