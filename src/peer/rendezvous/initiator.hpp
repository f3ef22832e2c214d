#pragma once

#include <optional>

#include "peer/rendezvous/introduction.hpp"

namespace sluice::rendezvous {

/// The client's side: it typed the code, and makes the offer.
///
/// It shows its proof of the key first. The price: a hub that plays the host learns whether one guess of its
/// own was right. What is bought: a visitor who never shows his proof has learnt nothing, so the host need
/// not burn the code then.
class Initiator final : public Introduction {
 public:
  explicit Initiator(IntroductionSetup setup) : Introduction(std::move(setup)) {}

  [[nodiscard]] bool makes_offer() const override { return true; }

 private:
  struct Started {
    ByteBuffer hello;
    ByteBuffer start;
    crypto::cpace::Exchange exchange;
  };

  void on_begin() override {}  // the host speaks first
  void on_handshake(const Message& message, ByteView body) override;
  [[nodiscard]] Error meaning_of(Refusal refusal) const override;

  void on_hello(const Hello& hello, ByteView body);
  void on_reply(const Reply& reply, ByteView body);
  void on_confirm(const Confirm& confirm);

  std::optional<Started> started_;
  std::optional<SessionKeys> keys_;
};

}  // namespace sluice::rendezvous
