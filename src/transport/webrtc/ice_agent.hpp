#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "transport/link.hpp"
#include "transport/webrtc/datagram_path.hpp"
#include "transport/webrtc/options.hpp"
#include "transport/webrtc/selected_socket.hpp"

namespace sluice::webrtc {

/// Who decides which pair is used (RFC 8445 §6.1.1): the offerer.
enum class IceRole : std::uint8_t { controlling, controlled };

struct IceCredentials {
  std::string ufrag;
  std::string pwd;
};

/// What an agent tells its owner, on the owner's shard, never from inside a call of the owner's.
class IceListener {
 public:
  virtual ~IceListener() = default;
  virtual void on_ice_candidate(const std::string& attribute) = 0;  ///< `candidate:...`
  virtual void on_ice_candidates_done() = 0;
  /// There is a path, or a better one than before: datagrams go there from now on.
  virtual void on_ice_path(const transport::Path& path) = 0;
  /// No path was found within the time (`unreachable`), or the peer no longer consents to receive
  /// (`link_lost`). Comes once at the most.
  virtual void on_ice_failed(const Error& reason) = 0;
};

/// Finds a path to one peer and keeps it alive: libnice in full mode with trickling and consent checks
/// (RFC 8445, 8838, 7675).
///
/// Lives on one shard. libnice itself runs on the thread of `IceLoop`; what it has to say reaches the shard
/// through an inbox, bounded by `limits::kIceInbox` for datagrams (more are dropped and counted) and
/// `limits::kIceEvents`. Destroying the agent is silent and returns at once; TURN allocations are given back
/// behind its back.
class IceAgent {
 public:
  /// Whom the agent serves: both outlive it.
  struct Users {
    IceListener& listener;
    DatagramReceiver& receiver;
  };

  /// Nothing is sent before `gather`. Errors: `invalid_argument` (a local address or a server that is none),
  /// `limit_exceeded` (this process may not open as many descriptors as it takes).
  static Result<std::unique_ptr<IceAgent>> make(boost::asio::any_io_executor executor, const Options& options,
                                                IceRole role, Users users);
  IceAgent(const IceAgent&) = delete;
  IceAgent& operator=(const IceAgent&) = delete;
  ~IceAgent();

  [[nodiscard]] const IceCredentials& credentials() const;

  void gather();
  /// Starts the checks, and the clock of `Options::ice_timeout`.
  void set_remote_credentials(IceCredentials credentials);
  /// `candidate:...`, already found usable by `parse_candidate`.
  void add_remote_candidate(const std::string& attribute);
  void end_of_remote_candidates();

  /// Sends datagrams, laid out one after the other in `bytes`, through the agent. Returns how many were
  /// taken.
  std::size_t send(ByteView bytes, std::span<const std::uint16_t> sizes);

  /// The socket of the path that was told last, once; nothing when it leads through a TURN server of ours.
  [[nodiscard]] std::optional<SelectedSocket> take_selected_socket();

  /// Datagrams that came while the inbox was full.
  [[nodiscard]] std::uint64_t dropped() const;

 private:
  class Impl;
  explicit IceAgent(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace sluice::webrtc
