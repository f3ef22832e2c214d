#pragma once

#include <string>
#include <variant>

#include "core/bytes.hpp"
#include "core/error.hpp"

/// What host and client tell each other under seal, to build a peer connection: docs/wire/rendezvous.md,
/// "Signals".
namespace sluice::rendezvous {

/// The client's description of its end (SDP).
struct Offer {
  std::string sdp;
  bool operator==(const Offer&) const = default;
};
/// The host's, in answer.
struct Answer {
  std::string sdp;
  bool operator==(const Answer&) const = default;
};
/// An address to try, as `transport::PeerConnection` gave it.
struct Candidate {
  std::string text;
  bool operator==(const Candidate&) const = default;
};
/// There will be no more of them.
struct CandidatesDone {
  bool operator==(const CandidatesDone&) const = default;
};
/// The sender has the channel.
struct Connected {
  bool operator==(const Connected&) const = default;
};
/// The sender gives up.
struct GaveUp {
  Errc code = Errc::refused;
  std::string text;
  bool operator==(const GaveUp&) const = default;
};

using Signal = std::variant<Offer, Answer, Candidate, CandidatesDone, Connected, GaveUp>;

/// Texts are no longer than the limits that `decode_signal` checks; a `GaveUp`'s is cut to that.
[[nodiscard]] ByteBuffer encode(const Signal& signal);

/// Errors: `malformed`, `limit_exceeded` (`limits::kMaxSdpSize`, `kMaxSdpLine`, `kMaxFailureText`).
[[nodiscard]] Result<Signal> decode_signal(ByteView plain);

}  // namespace sluice::rendezvous
