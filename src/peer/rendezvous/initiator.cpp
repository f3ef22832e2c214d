#include "peer/rendezvous/initiator.hpp"

#include <algorithm>
#include <utility>

#include "crypto/secret.hpp"

namespace sluice::rendezvous {

namespace cpace = crypto::cpace;

void Initiator::on_handshake(const Message& message, ByteView body) {
  if (const auto* hello = std::get_if<Hello>(&message); hello != nullptr && !started_ && !keys_) {
    on_hello(*hello, body);
  } else if (const auto* reply = std::get_if<Reply>(&message); reply != nullptr && started_) {
    on_reply(*reply, body);
  } else if (const auto* proof = std::get_if<Confirm>(&message); proof != nullptr && keys_) {
    on_confirm(*proof);
  } else {
    out_of_turn("a message");
  }
}

void Initiator::on_hello(const Hello& hello, ByteView body) {
  const std::uint8_t version = std::min(hello.newest, kNewestVersion);
  if (version < std::max(hello.oldest, kOldestVersion)) {
    const bool host_is_newer = hello.oldest > kNewestVersion;
    return refuse(
        Refusal::Reason::version,
        {.error = {.code = Errc::unsupported,
                   .message = host_is_newer
                                  ? "The host runs a later version of Sluice: update this one."
                                  : "The host runs an earlier version of Sluice: update it there."}});
  }
  auto exchange = start_exchange(cpace::Role::initiator, {.host = hello.nonce, .client = nonce()});
  ByteBuffer start = send_and_keep(Start{.version = version,
                                         .features = hello.features & kFeatures,
                                         .nonce = nonce(),
                                         .share = exchange.share()});
  started_.emplace(
      Started{.hello = to_buffer(body), .start = std::move(start), .exchange = std::move(exchange)});
}

void Initiator::on_reply(const Reply& reply, ByteView body) {
  auto key = std::move(started_->exchange).finish(reply.share);
  if (!key) return refuse(Refusal::Reason::protocol, {.error = std::move(key).error()});
  keys_.emplace(SessionKeys::derive(
      *key, {.mailbox = mailbox(), .hello = started_->hello, .start = started_->start, .reply = body}));
  started_.reset();
  send(Confirm{.tag = keys_->client_tag});
}

void Initiator::on_confirm(const Confirm& proof) {
  if (!crypto::equal_in_constant_time(proof.tag, keys_->host_tag)) {
    return refuse(
        Refusal::Reason::wrong_code,
        {.error = {.code = Errc::wrong_code,
                   .message = "Who answered does not know the code: the hub or the host is not who it should "
                              "be. Do not use this code again; ask the host for a new one."}});
  }
  confirm({.to_send = std::move(keys_->client_to_host), .to_receive = std::move(keys_->host_to_client)});
  keys_.reset();
}

Error Initiator::meaning_of(Refusal refusal) const {
  switch (refusal.reason) {
    case Refusal::Reason::wrong_code:
      return {.code = Errc::wrong_code,
              .message = "The code or key is wrong. A code is good for one try: ask the host for a new one."};
    case Refusal::Reason::version:
      return {.code = Errc::unsupported,
              .message = "The host does not speak this version of the protocol: update one of the two."};
    case Refusal::Reason::timed_out:
      return {.code = Errc::timed_out, .message = "The host waited too long for an answer. Try again."};
    case Refusal::Reason::protocol:
      return {.code = Errc::protocol_violation, .message = "The host did not understand what reached it."};
    case Refusal::Reason::gave_up:
      break;
  }
  return {.code = Errc::refused, .message = "The host ended the attempt."};
}

}  // namespace sluice::rendezvous
