#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "api/job.hpp"
#include "api/peer_options.hpp"
#include "core/limits.hpp"
#include "core/tunnel_limits.hpp"
#include "peer/tunnel/targets.hpp"
#include "transport/link.hpp"

namespace sluice::api {

struct TunnelHostOptions {
  PeerOptions peer;
  tunnel::Targets targets;                         ///< The first is the default. Nothing else can be reached.
  std::optional<crypto::SharedKey> key;            ///< Instead of codes.
  std::size_t max_clients = limits::kMaxSessions;  ///< At the same time; those beyond are told so.
  Bytes memory = limits::kTunnelMemory;            ///< What may wait in all sessions together.
};

/// What a host tells whoever runs it; on its shard.
class TunnelHostObserver {
 public:
  virtual ~TunnelHostObserver() = default;
  /// A client may come now. With a key there is no code and no expiry.
  virtual void on_waiting(const std::optional<crypto::Code>& code, std::optional<Duration> expires_in) = 0;
  /// Somebody tried a wrong code: it is burnt, a new one follows.
  virtual void on_code_burnt(const Error& reason) = 0;
  virtual void on_peer_connected(std::uint64_t session, const transport::Path& path) = 0;
  virtual void on_peer_closed(std::uint64_t session, const Error& reason, const TunnelStatus& totals) = 0;
  /// Something went wrong that the host gets over by itself: a client that found no path, a hub that is away.
  virtual void on_trouble(const Failure& failure) = 0;
};

/// `sluice host`: waits at the hub, and serves each client that knows the code or has the key, several at
/// once.
[[nodiscard]] std::unique_ptr<Job> make_tunnel_host(boost::asio::any_io_executor executor,
                                                    TunnelHostOptions options, TunnelHostObserver& observer);

}  // namespace sluice::api
