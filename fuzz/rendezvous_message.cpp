// Whatever comes through a mailbox: it decodes to a message that is written back as it was, or to an error;
// and two sides that are in the middle of an introduction take it without ending up with a confirmed key.
#include <cstdint>
#include <span>
#include <variant>

#include "core/ensure.hpp"
#include "core/limits.hpp"
#include "peer/rendezvous/initiator.hpp"
#include "peer/rendezvous/message.hpp"
#include "peer/rendezvous/responder.hpp"
#include "peer/rendezvous/signal.hpp"

namespace {

using namespace sluice;
using namespace sluice::rendezvous;

bool written_back_alike(const Message& message, ByteView body) {
  // A later version's HELLO may have more behind it, and an unknown reason is read as another.
  if (std::holds_alternative<Refusal>(message)) return body.size() == 2;
  const ByteBuffer again = encode(message);
  return again.size() <= body.size() && to_buffer(body.first(again.size())) == again &&
         (again.size() == body.size() || std::holds_alternative<Hello>(message));
}

IntroductionSetup setup() {
  static const crypto::Secret<32> password{std::array<std::byte, 32>{}};
  return {.mailbox = "7", .password = password.clone(), .entropy = Entropy::random()};
}

void feed(Introduction& side, ByteView body) {
  (void)side.receive(body, {});
  (void)side.receive(body, {});
  ENSURE(!side.confirmed());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView body = std::as_bytes(std::span{data, size});
  if (const auto message = decode_message(body)) {
    ENSURE(written_back_alike(*message, body));
  } else {
    ENSURE(message.error().code == Errc::malformed || message.error().code == Errc::limit_exceeded);
  }
  if (const auto signal = decode_signal(body)) {
    const auto again = decode_signal(encode(*signal));
    ENSURE(again && *again == *signal);
  } else {
    ENSURE(signal.error().code == Errc::malformed || signal.error().code == Errc::limit_exceeded);
  }
  Initiator client{setup()};
  (void)client.begin({});
  feed(client, body);
  Responder host{setup()};
  (void)host.begin({});
  feed(host, body);
  return 0;
}
