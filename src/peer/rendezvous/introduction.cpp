#include "peer/rendezvous/introduction.hpp"

#include <algorithm>
#include <utility>

#include "crypto/random.hpp"

namespace sluice::rendezvous {

Entropy Entropy::random() {
  return {.nonce = crypto::random_bytes<sizeof(Nonce)>(), .scalar = crypto::cpace::Scalar::random()};
}

Introduction::Introduction(IntroductionSetup setup) : setup_(std::move(setup)) {}

Actions Introduction::begin(TimePoint now) {
  begun_ = now;
  deadline_ = now + std::min(setup_.confirmation_limit, setup_.limit);
  on_begin();
  return done();
}

Actions Introduction::receive(ByteView body, TimePoint now) {
  if (ended_) return {};
  if (now >= deadline_) return expire(now);
  const auto message = decode_message(body);
  if (!message) {
    refuse(Refusal::Reason::protocol, {.error = message.error()});
  } else if (const auto* sealed = std::get_if<Sealed>(&*message)) {
    on_sealed(sealed->bytes);
  } else if (confirmed()) {
    // From here on the other side seals everything: whatever is not sealed is not from it.
    out_of_turn("a message without a seal");
  } else if (const auto* refusal = std::get_if<Refusal>(&*message)) {
    end({.error = meaning_of(*refusal)});
  } else {
    on_handshake(*message, body);
  }
  return done();
}

Actions Introduction::expire(TimePoint now) {
  if (ended_ || now < deadline_) return {};
  return give_up({.code = Errc::timed_out,
                  .message = confirmed() ? "The other side was found, but no connection came up in time."
                                         : "The other side did not answer in time."});
}

Actions Introduction::say(const Signal& signal) {
  if (!ended_ && sealer_) send(Sealed{.bytes = sealer_->seal(encode(signal))});
  return done();
}

Actions Introduction::give_up(Error error) {
  if (ended_) return {};
  if (confirmed()) {
    break_off(std::move(error));
  } else {
    const auto reason = error.code == Errc::timed_out ? Refusal::Reason::timed_out : Refusal::Reason::gave_up;
    refuse(reason, {.error = std::move(error)});
  }
  return done();
}

void Introduction::send(const Message& message) {
  actions_.emplace_back(SendBody{.body = encode(message)});
}

ByteBuffer Introduction::send_and_keep(const Message& message) {
  ByteBuffer body = encode(message);
  actions_.emplace_back(SendBody{.body = body});
  return body;
}

void Introduction::end(Ended end) {
  ended_ = true;
  deadline_ = TimePoint::max();
  actions_.emplace_back(std::move(end));
}

void Introduction::refuse(Refusal::Reason reason, Ended why) {
  if (confirmed()) return break_off(std::move(why.error));
  send(Refusal{.reason = reason});
  end(std::move(why));
}

void Introduction::break_off(Error error) {
  send(Sealed{.bytes = sealer_->seal(encode(GaveUp{.code = error.code, .text = error.message}))});
  end({.error = std::move(error)});
}

void Introduction::out_of_turn(std::string_view what) {
  refuse(Refusal::Reason::protocol, {.error = {.code = Errc::protocol_violation,
                                               .message = "The hub or the other side sent " +
                                                          std::string{what} + " where none belongs."}});
}

crypto::cpace::Exchange Introduction::start_exchange(crypto::cpace::Role role, const Nonces& nonces) {
  ByteBuffer session = to_buffer(nonces.host);
  session.insert(session.end(), nonces.client.begin(), nonces.client.end());
  const std::string channel = channel_identifier(setup_.mailbox);
  return {role,
          {.password = setup_.password.expose(), .channel = as_bytes(channel), .session = session},
          std::move(setup_.entropy.scalar)};
}

void Introduction::confirm(Keys keys) {
  sealer_.emplace(std::move(keys.to_send));
  opener_.emplace(std::move(keys.to_receive));
  deadline_ = begun_ + setup_.limit;
  actions_.emplace_back(KeyConfirmed{});
}

void Introduction::on_sealed(ByteView sealed) {
  if (!confirmed()) return out_of_turn("a sealed message");
  auto plain = opener_->open(sealed);
  if (!plain) {
    return break_off(std::move(plain).error().as_cause_of(
        Errc::protocol_violation, "Somebody meddles with what the two sides tell each other"));
  }
  auto signal = decode_signal(*plain);
  if (!signal) return break_off(std::move(signal).error());
  on_signal(std::move(*signal));
}

void Introduction::on_signal(Signal signal) {
  const bool offer = std::holds_alternative<Offer>(signal);
  if (offer || std::holds_alternative<Answer>(signal)) {
    if (described_ || offer == makes_offer()) return out_of_turn("a description");
    described_ = true;
  } else if (const auto* gave_up = std::get_if<GaveUp>(&signal)) {
    // A host that is full has not tried.
    const std::string_view prefix = gave_up->code == Errc::busy ? "" : "The other side gave up: ";
    return end({.error = {.code = gave_up->code, .message = std::string{prefix} + gave_up->text}});
  } else if (!described_) {
    return out_of_turn("a signal before its description");
  } else if (std::holds_alternative<Connected>(signal)) {
    far_connected_ = true;
  } else if (candidates_done_) {
    return out_of_turn("a candidate after the last one");
  } else if (std::holds_alternative<CandidatesDone>(signal)) {
    candidates_done_ = true;
  } else if (++candidates_ > limits::kMaxCandidates) {
    return break_off(
        {.code = Errc::limit_exceeded, .message = "The other side has more candidates than are taken."});
  }
  actions_.emplace_back(std::move(signal));
}

}  // namespace sluice::rendezvous
