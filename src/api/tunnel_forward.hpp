#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "api/job.hpp"
#include "api/peer_options.hpp"
#include "core/tunnel_limits.hpp"
#include "peer/tunnel/forward_session.hpp"
#include "transport/link.hpp"

namespace sluice::api {

struct TunnelForwardOptions {
  PeerOptions peer;
  Credential credential;
  std::vector<tunnel::LocalPort> ports;
  std::optional<std::string>
      stdio_target;  ///< Joins standard input and output to that target, and ends with them.
  Bytes memory = limits::kTunnelMemory;  ///< What may wait in the tunnel.
};

/// What a forward tells whoever runs it; on its shard.
class TunnelForwardObserver {
 public:
  virtual ~TunnelForwardObserver() = default;
  virtual void on_connected(const transport::Path& path, Duration took) = 0;
  /// For each port, once: when the first tunnel is there. They have been open since the start, and stay so.
  virtual void on_listening(const tunnel::LocalPort& bound) = 0;
  virtual void on_closed(const Error& reason) = 0;
  /// With a key the peer is sought again after it was lost; `in` says when.
  virtual void on_retry(const Failure& failure, Duration in) = 0;
};

/// `sluice forward`: finds the host through the hub and makes its targets reachable on local ports.
[[nodiscard]] std::unique_ptr<Job> make_tunnel_forward(boost::asio::any_io_executor executor,
                                                       TunnelForwardOptions options,
                                                       TunnelForwardObserver& observer);

}  // namespace sluice::api
