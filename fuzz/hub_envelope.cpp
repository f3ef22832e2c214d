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

void check_error(const Error& error) {
  ENSURE(!error.message.empty());
}
void check_error(const Undecoded& error) {
  ENSURE(error.reason != Reason::none && !error.message.empty());
  if (!error.recognized) return;
  // What is recognized can be answered.
  const Recognized& message = *error.recognized;
  ENSURE(message.id.empty() || is_id(message.id));
  ENSURE(message.group.empty() || is_name(message.group));
  const bool is_numbered =
      message.kind == Recognized::Kind::publish || message.kind == Recognized::Kind::request;
  ENSURE(is_numbered || message.seq == 0);
}

template <typename Message, typename Decode>
void check(const Message& message, Decode decode) {
  if (!message) return check_error(message.error());
  for (const Encoding encoding : kBoth) {
    ByteBuffer again;
    append(again, encoding, *message);
    const auto back = decode(encoding, again);
    // What came as Protobuf may be longer as JSON than a client may send.
    ENSURE(back ? *back == *message : size_of(again) > limits::kMaxEnvelope);
    ENSURE(size_of(again) <= limits::kMaxHubEnvelope);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView bytes = std::as_bytes(std::span{data, size});
  for (const Encoding encoding : kBoth) {
    check(decode_from_client(encoding, bytes), decode_from_client);
    // What a hub passes on was an envelope of a client.
    if (size_of(bytes) <= limits::kMaxEnvelope) check(decode_from_hub(encoding, bytes), decode_from_hub);
  }
  return 0;
}
