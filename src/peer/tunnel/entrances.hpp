#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>

#include "core/client_limits.hpp"
#include "core/error.hpp"
#include "core/time.hpp"
#include "peer/tunnel/unix_path.hpp"
#include "runtime/task_scope.hpp"
#include "runtime/timed_wake_up.hpp"

namespace sluice::tunnel {

/// A local place that leads to one of the host's targets.
struct LocalPort {
  /// A numeric address or a name. `localhost` is 127.0.0.1 and ::1, `*` every address of both families; one
  /// family will do where the machine has no other.
  std::string bind{};
  std::uint16_t port = 0;                ///< 0: the kernel chooses, the same one for both families.
  std::string path{};                    ///< Of a Unix socket, instead of both.
  std::string target{};                  ///< Empty: the host's default.
  std::vector<std::string> addresses{};  ///< Once it is open: where it listens.
};

/// Takes the connections that come in.
class EntranceUser {
 public:
  virtual ~EntranceUser() = default;
  virtual void take(StreamSocket socket, const std::string& target) = 0;
};

/// The local ports of a forward: bound before a host is sought, and open as long as the forward runs,
/// whatever becomes of its tunnels. So nobody else can take a port meanwhile.
///
/// Connections that come while no tunnel is there wait in the system's backlog, which bounds them, for
/// `limits::kEntrancePatience` from the loss on; after that they are reset at once, until there is a tunnel
/// again. One shard. `run` is joined before this is destroyed.
class Entrances {
 public:
  /// Errors: `address_in_use`, `permission_denied`, `not_found` (no such address or name here),
  /// `invalid_argument` (target, path), `io`; nothing stays open then.
  [[nodiscard]] static Result<std::unique_ptr<Entrances>> open(const boost::asio::any_io_executor& executor,
                                                               const std::vector<LocalPort>& ports,
                                                               Duration patience = limits::kEntrancePatience);
  Entrances(const Entrances&) = delete;
  Entrances& operator=(const Entrances&) = delete;
  ~Entrances();

  /// With the ports that the kernel chose, and the addresses.
  [[nodiscard]] const std::vector<LocalPort>& ports() const { return ports_; }

  /// Takes connections until `close`, or until it is cancelled.
  boost::asio::awaitable<void> run();

  /// A tunnel is there: what waits goes to it, and what comes. Until `leave`.
  void lead_to(EntranceUser& user);
  /// No tunnel is there any more; nothing happens when they lead to another one by now.
  void leave(const EntranceUser& user);
  /// Nothing more is taken: what waits is reset, new connections are refused.
  void close();

 private:
  using Acceptor = boost::asio::basic_socket_acceptor<StreamProtocol>;
  struct Entrance {
    Acceptor acceptor;
    std::optional<BoundUnixPath> path;
    std::size_t port;  ///< Its place in `ports_`.
    runtime::TimedWakeUp changed;
  };

  Entrances(boost::asio::any_io_executor executor, Duration patience);
  [[nodiscard]] Status add(LocalPort port);
  [[nodiscard]] Status add_addresses(LocalPort& port, const std::vector<StreamProtocol::endpoint>& all);
  [[nodiscard]] Status add_path(LocalPort& port);
  [[nodiscard]] Result<Acceptor> bind(const StreamProtocol::endpoint& endpoint);
  boost::asio::awaitable<void> serve(Entrance& entrance);
  /// False: the system has no room for one.
  [[nodiscard]] bool accept_some(Entrance& entrance);
  void turn_away(StreamSocket socket, const Entrance& entrance);

  boost::asio::any_io_executor executor_;
  Duration patience_;
  std::vector<LocalPort> ports_;
  std::list<Entrance> entrances_;
  EntranceUser* user_ = nullptr;
  TimePoint turn_away_at_;
  bool told_ = false;  ///< That connections are turned away, since the loss.
};

/// As a person reads it: `127.0.0.1:22`, `[::1]:22`, `a Unix socket`.
[[nodiscard]] std::string text_of(const StreamProtocol::endpoint& endpoint);

}  // namespace sluice::tunnel
