#include "peer/rendezvous/responder.hpp"

#include <utility>

#include "crypto/secret.hpp"

namespace sluice::rendezvous {

namespace cpace = crypto::cpace;

void Responder::on_begin() {
  hello_ = send_and_keep(Hello{.nonce = nonce()});
}

void Responder::on_handshake(const Message& message, ByteView body) {
  if (const auto* start = std::get_if<Start>(&message); start != nullptr && !keys_) {
    on_start(*start, body);
  } else if (const auto* proof = std::get_if<Confirm>(&message); proof != nullptr && keys_) {
    on_confirm(*proof);
  } else {
    out_of_turn("a message");
  }
}

void Responder::on_start(const Start& start, ByteView body) {
  if (start.version < kOldestVersion || start.version > kNewestVersion ||
      (start.features & ~kFeatures) != 0) {
    return refuse(Refusal::Reason::version,
                  {.error = {.code = Errc::unsupported,
                             .message = "A client chose a version or a feature that it was not offered."}});
  }
  auto exchange = start_exchange(cpace::Role::responder, {.host = nonce(), .client = start.nonce});
  const Reply reply{.share = exchange.share()};
  auto key = std::move(exchange).finish(start.share);
  if (!key) return refuse(Refusal::Reason::protocol, {.error = std::move(key).error()});
  const ByteBuffer sent = send_and_keep(reply);
  keys_.emplace(
      SessionKeys::derive(*key, {.mailbox = mailbox(), .hello = hello_, .start = body, .reply = sent}));
}

void Responder::on_confirm(const Confirm& proof) {
  if (!crypto::equal_in_constant_time(proof.tag, keys_->client_tag)) {
    return refuse(Refusal::Reason::wrong_code,
                  {.error = {.code = Errc::wrong_code, .message = "Somebody tried a wrong code or key."},
                   .guess = Ended::Guess::wrong});
  }
  send(Confirm{.tag = keys_->host_tag});
  confirm({.to_send = std::move(keys_->host_to_client), .to_receive = std::move(keys_->client_to_host)});
  keys_.reset();
}

Error Responder::meaning_of(Refusal refusal) const {
  switch (refusal.reason) {
    case Refusal::Reason::wrong_code:
      return {.code = Errc::wrong_code, .message = "A client says that this host does not know the code."};
    case Refusal::Reason::version:
      return {.code = Errc::unsupported, .message = "A client does not speak this version of the protocol."};
    case Refusal::Reason::timed_out:
      return {.code = Errc::timed_out, .message = "A client waited too long."};
    case Refusal::Reason::protocol:
      return {.code = Errc::protocol_violation, .message = "A client did not understand what reached it."};
    case Refusal::Reason::gave_up:
      break;
  }
  return {.code = Errc::refused, .message = "A client ended the attempt."};
}

}  // namespace sluice::rendezvous
