// Whatever comes as an envelope, in either encoding and from either side: it decodes to a message that is the
// same after it was written and read again, in both encodings, or to an error that a client can be told.
#include <cstdint>
#include <span>

#include "core/ensure.hpp"
#include "core/hub_limits.hpp"
#include "wire/hub/codec.hpp"

namespace {

using namespace sluice;
using namespace sluice::wire::hub;

constexpr Encoding kBoth[] = {Encoding::proto, Encoding::json};

template <typename Message, typename Decode>
void check(const Result<Message>& message, Decode decode) {
  if (!message) {
    ENSURE(reason_for(message.error()) != Reason::none && !message.error().message.empty());
    return;
  }
  for (const Encoding encoding : kBoth) {
    ByteBuffer again;
    append(again, encoding, *message);
    const auto back = decode(encoding, again);
    // What came as Protobuf may be longer as JSON than a client may send.
    ENSURE(back ? *back == *message : back.error().code == Errc::limit_exceeded);
    ENSURE(size_of(again) <= limits::kMaxHubEnvelope);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView bytes = std::as_bytes(std::span{data, size});
  if (size_of(bytes) > limits::kMaxEnvelope) return 0;
  for (const Encoding encoding : kBoth) {
    check(decode_from_client(encoding, bytes), decode_from_client);
    check(decode_from_hub(encoding, bytes), decode_from_hub);
  }
  return 0;
}
