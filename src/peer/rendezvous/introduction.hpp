#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"
#include "crypto/cpace.hpp"
#include "crypto/seal.hpp"
#include "peer/rendezvous/message.hpp"
#include "peer/rendezvous/session_keys.hpp"
#include "peer/rendezvous/signal.hpp"

namespace sluice::rendezvous {

/// Send these bytes to the other side.
struct SendBody {
  ByteBuffer body;
};
/// Both sides have the same key, so the other side knows the code or the key file.
struct KeyConfirmed {};
/// The attempt is over, without a channel.
struct Ended {
  Error error;
  /// Whether somebody tried a wrong code on us, which is what burns ours.
  enum class Guess : std::uint8_t { none, wrong } guess = Guess::none;
};
/// What a side wants done, in this order. Of signals only those that ask for something: a description,
/// candidates, their end, the news that the other side has its channel.
using Action = std::variant<SendBody, KeyConfirmed, Signal, Ended>;
using Actions = std::vector<Action>;

/// What both sides bring to an introduction. Nonce and scalar are fresh random values (`Entropy::random`).
struct Entropy {
  Nonce nonce;
  crypto::cpace::Scalar scalar;
  [[nodiscard]] static Entropy random();
};
struct IntroductionSetup {
  std::string mailbox;
  crypto::Secret<32> password;
  Entropy entropy;
  Duration confirmation_limit = limits::kKeyConfirmation;
  Duration limit = limits::kIntroduction;
};

/// One side of one introduction: from the first message in a mailbox to a confirmed key, then sealed signals
/// until each side has its channel or one has given up.
///
/// Sans-I/O. Takes what the other place sent and the time, returns what is to be done. After `Ended`
/// everything else is ignored. Bounds: `limits::kMaxCandidates` signals of candidates, one description,
/// `limit` of time; memory is a few hundred bytes. Invariant: a signal is accepted or sent only after both
/// tags were right.
class Introduction {
 public:
  Introduction(const Introduction&) = delete;
  Introduction& operator=(const Introduction&) = delete;
  virtual ~Introduction() = default;

  /// What is to be done at first; `now` starts the clock. To be called once, before anything else.
  [[nodiscard]] Actions begin(TimePoint now);
  /// A message from the other place.
  [[nodiscard]] Actions receive(ByteView body, TimePoint now);
  /// To be called at `deadline` or later.
  [[nodiscard]] Actions expire(TimePoint now);
  /// A signal to the other side, after `KeyConfirmed`; before it and after the end it is ignored.
  [[nodiscard]] Actions say(const Signal& signal);
  /// Ends it from this side and tells the other why.
  [[nodiscard]] Actions give_up(Error error);

  /// Whether this side makes the offer once the key is confirmed; the other answers it.
  [[nodiscard]] virtual bool makes_offer() const = 0;
  [[nodiscard]] TimePoint deadline() const { return deadline_; }
  [[nodiscard]] bool confirmed() const { return sealer_.has_value(); }
  [[nodiscard]] bool ended() const { return ended_; }
  /// Whether the other side says that it has its channel.
  [[nodiscard]] bool far_connected() const { return far_connected_; }

 protected:
  explicit Introduction(IntroductionSetup setup);

  /// The first words, if this side has them.
  virtual void on_begin() = 0;
  /// A handshake message that decodes; what is out of turn goes to `out_of_turn`.
  virtual void on_handshake(const Message& message, ByteView body) = 0;
  /// A refusal before the key was confirmed: the error that it means.
  [[nodiscard]] virtual Error meaning_of(Refusal refusal) const = 0;
  void send(const Message& message);
  /// Sends and returns the bytes, for the transcript.
  ByteBuffer send_and_keep(const Message& message);
  /// Ends the handshake: the other side is refused, this one has the error.
  void refuse(Refusal::Reason reason, Ended end);
  void out_of_turn(std::string_view what);
  /// This side's half of the key exchange; takes the scalar, so once only.
  struct Nonces {
    const Nonce& host;
    const Nonce& client;
  };
  [[nodiscard]] crypto::cpace::Exchange start_exchange(crypto::cpace::Role role, const Nonces& nonces);
  struct Keys {
    crypto::SealKey to_send;
    crypto::SealKey to_receive;
  };
  void confirm(Keys keys);

  [[nodiscard]] const Nonce& nonce() const { return setup_.entropy.nonce; }
  [[nodiscard]] const std::string& mailbox() const { return setup_.mailbox; }

 private:
  void on_sealed(ByteView sealed);
  void on_signal(Signal signal);
  void end(Ended end);
  void break_off(Error error);
  [[nodiscard]] Actions done() { return std::exchange(actions_, {}); }

  IntroductionSetup setup_;
  Actions actions_;
  std::optional<crypto::Sealer> sealer_;
  std::optional<crypto::Opener> opener_;
  TimePoint begun_;
  TimePoint deadline_ = TimePoint::max();
  std::size_t candidates_ = 0;
  bool described_ = false;
  bool candidates_done_ = false;
  bool far_connected_ = false;
  bool ended_ = false;
};

}  // namespace sluice::rendezvous
