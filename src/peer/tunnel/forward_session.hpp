#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/ip/tcp.hpp>

#include "core/tunnel_limits.hpp"
#include "observe/log_pace.hpp"
#include "peer/tunnel/endpoint.hpp"

namespace sluice::tunnel {

/// A local port that leads to one of the host's targets.
struct LocalPort {
  std::string bind;        ///< A numeric address or a name.
  std::uint16_t port = 0;  ///< 0: the kernel chooses.
  std::string target;      ///< Empty: the host's default.
};

/// A place where local connections are taken, open before anybody takes them.
struct Listener {
  boost::asio::ip::tcp::acceptor acceptor;
  LocalPort bound;  ///< With the port that the kernel chose.
};

/// Opens a local port. Errors: `address_in_use`, `permission_denied`, `not_found` (no such address here),
/// `invalid_argument` (target), `io`.
[[nodiscard]] Result<Listener> listen_on(const boost::asio::any_io_executor& executor, const LocalPort& port);

/// The client's end of a tunnel: takes local connections and opens a stream for each.
class ForwardSession final : public Endpoint {
 public:
  struct Ways {
    std::vector<Listener> listeners{};
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
  boost::asio::awaitable<void> accept(Listener& listener);
  void take(boost::asio::ip::tcp::socket socket, const std::string& target);
  void join_stdio();
  boost::asio::awaitable<void> stop_later();

  Ways ways_;
  std::optional<wire::SocketId> stdio_;
  std::optional<StreamEnd> stdio_end_;
  observe::LogPace pace_{limits::kRejectionLogPause, limits::kRejectionKinds};
};

}  // namespace sluice::tunnel
