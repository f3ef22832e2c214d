#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/tunnel_limits.hpp"
#include "observe/log_pace.hpp"
#include "peer/tunnel/endpoint.hpp"
#include "peer/tunnel/entrances.hpp"

namespace sluice::tunnel {

/// The client's end of a tunnel: takes local connections and opens a stream for each.
class ForwardSession final : public Endpoint, private EntranceUser {
 public:
  struct Ways {
    /// Lead here from the moment on that both sides are ready, until the session stops. They outlive it.
    Entrances* entrances = nullptr;
    /// Standard input and output joined to a target; when that stream ends, the whole tunnel does.
    std::optional<std::string> stdio_target{};
  };
  ForwardSession(const boost::asio::any_io_executor& executor, std::unique_ptr<transport::Link> link,
                 Ways ways, SessionOptions options = {});

  /// How the stream of standard input and output ended, once it has.
  [[nodiscard]] const std::optional<StreamEnd>& stdio_end() const { return stdio_end_; }

 private:
  void on_ready() override;
  void on_stop() override;
  void on_stream_end(wire::SocketId id, const StreamEnd& end) override;
  void dial(wire::SocketId, const Target&) override {}  // the host's part
  void forget_dial(wire::SocketId) override {}
  void take(StreamSocket socket, const std::string& target) override;
  void join_stdio();
  boost::asio::awaitable<void> stop_later();

  Ways ways_;
  std::optional<wire::SocketId> stdio_;
  std::optional<StreamEnd> stdio_end_;
  observe::LogPace pace_{limits::kRejectionLogPause, limits::kRejectionKinds};
  std::uint64_t taken_ = 0;  ///< Connections, to tell those apart that have no addresses.
};

}  // namespace sluice::tunnel
