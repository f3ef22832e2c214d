#pragma once

#include <expected>
#include <memory>
#include <string>
#include <unordered_map>

#include "core/tunnel_limits.hpp"
#include "observe/log_pace.hpp"
#include "peer/tunnel/dial.hpp"
#include "peer/tunnel/endpoint.hpp"
#include "peer/tunnel/targets.hpp"
#include "peer/tunnel/unix_path.hpp"

namespace sluice::tunnel {

/// The host's end of a tunnel: dials, for each socket that the client opens, the target that it names.
class HostSession final : public Endpoint {
 public:
  HostSession(const boost::asio::any_io_executor& executor, std::unique_ptr<transport::Link> link,
              Targets targets, SessionOptions options = {});

 private:
  void dial(wire::SocketId id, const Target& target) override;
  void forget_dial(wire::SocketId id) override;
  void on_stream_end(wire::SocketId id, const StreamEnd& end) override;
  void on_refused(wire::CloseReason reason, const std::string& text) override;
  struct Rejection {
    wire::CloseReason reason;
    std::string target{};  ///< One of the host's own, where there is one.
  };
  void log_rejected(const Rejection& what, const std::string& text);
  static boost::asio::awaitable<std::expected<StreamSocket, DialFailure>> connect(Dial& dial,
                                                                                  const Target& target);
  boost::asio::awaitable<void> serve(wire::SocketId id, std::shared_ptr<Dial> dial, const Target& target);

  /// The dials whose outcome is waited for; no more than streams.
  std::unordered_map<wire::SocketId, std::shared_ptr<Dial>> dials_;
  observe::LogPace pace_{limits::kRejectionLogPause, limits::kRejectionKinds};
};

}  // namespace sluice::tunnel
