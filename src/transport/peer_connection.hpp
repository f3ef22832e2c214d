#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/error.hpp"
#include "transport/link.hpp"

namespace sluice::transport {

/// What a peer connection tells whoever negotiates it; on its shard, never from inside one of its own calls.
class PeerConnectionListener {
 public:
  virtual ~PeerConnectionListener() = default;
  /// A local candidate to trickle to the other side, as an SDP attribute value: `candidate:...` (RFC 8839
  /// §5.1).
  virtual void on_local_candidate(const std::string& candidate) = 0;
  /// No more local candidates (RFC 8838 §13).
  virtual void on_local_candidates_done() = 0;
  /// The data channel is open. The link keeps all beneath it alive: the PeerConnection may be destroyed from
  /// now on, though not from inside this call.
  virtual void on_open(std::unique_ptr<Link> channel) = 0;
  /// There will be no channel: `unreachable` (no path), `wrong_code` (fingerprint mismatch), `timed_out`, ...
  virtual void on_failed(const Error& reason) = 0;
};

/// One negotiation of one data channel between two peers, after the W3C's RTCPeerConnection: one side makes
/// an offer, the other answers, candidates trickle both ways, then `on_open` or `on_failed` comes exactly
/// once.
///
/// Lives on one shard. Destroying it before `on_open` ends the attempt silently.
class PeerConnection {
 public:
  virtual ~PeerConnection() = default;

  /// The offering side: returns the SDP offer and begins to gather candidates.
  virtual Result<std::string> create_offer() = 0;
  /// The answering side: takes the offer, returns the SDP answer and begins to gather candidates.
  virtual Result<std::string> accept_offer(const std::string& sdp) = 0;
  /// The offering side: takes the answer.
  virtual Status set_answer(const std::string& sdp) = 0;

  /// A candidate from the other side, as `on_local_candidate` gave it there. Ones that this side cannot use
  /// (mDNS names, TCP) are ignored without an error. `malformed`, `limit_exceeded`
  /// (`limits::kMaxCandidates`).
  virtual Status add_remote_candidate(const std::string& candidate) = 0;
  virtual void end_of_remote_candidates() = 0;
};

/// How those who negotiate come by a connection without naming a transport. The listener outlives the
/// connection.
using PeerConnectionFactory = std::function<std::unique_ptr<PeerConnection>(PeerConnectionListener&)>;

}  // namespace sluice::transport
