#pragma once

#include <cstdint>
#include <unordered_map>

#include "peer/tunnel/endpoint.hpp"
#include "peer/tunnel/targets.hpp"

namespace sluice::tunnel {

/// The host's end of a tunnel: dials, for each socket that the client opens, the target that it names.
class HostSession final : public Endpoint {
 public:
  HostSession(const boost::asio::any_io_executor& executor, std::unique_ptr<transport::Link> link,
              Targets targets, SessionOptions options = {});

 private:
  void dial(wire::SocketId id, const Target& target) override;
  void forget_dial(wire::SocketId id) override { dials_.erase(id); }
  boost::asio::awaitable<void> serve(wire::SocketId id, std::uint64_t number, const Target& target);

  /// The dials whose outcome is waited for. An id may come again while its forgotten dial still runs: numbers
  /// do not.
  std::unordered_map<wire::SocketId, std::uint64_t> dials_;
  std::uint64_t last_dial_ = 0;
};

}  // namespace sluice::tunnel
