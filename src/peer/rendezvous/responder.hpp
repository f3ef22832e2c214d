#pragma once

#include <optional>

#include "peer/rendezvous/introduction.hpp"

namespace sluice::rendezvous {

/// The host's side: it showed the code, greets each visitor first, and answers the offer.
///
/// It proves nothing before the visitor has: until then a visitor has learnt nothing that he could check a
/// guess against. A wrong proof is a guess that failed, and ends with `Guess::wrong`.
class Responder final : public Introduction {
 public:
  explicit Responder(IntroductionSetup setup) : Introduction(std::move(setup)) {}

  [[nodiscard]] bool makes_offer() const override { return false; }

 private:
  void on_begin() override;
  void on_handshake(const Message& message, ByteView body) override;
  [[nodiscard]] Error meaning_of(Refusal refusal) const override;

  void on_start(const Start& start, ByteView body);
  void on_confirm(const Confirm& proof);

  ByteBuffer hello_;
  std::optional<SessionKeys> keys_;
};

}  // namespace sluice::rendezvous
