#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "core/error.hpp"
#include "flow/account.hpp"
#include "hub/config/settings.hpp"
#include "hub/gateway/books.hpp"
#include "hub/gateway/ids.hpp"
#include "hub/gateway/turnstile.hpp"
#include "hub/service/shard_events.hpp"
#include "hub/store/message.hpp"
#include "transport/http.hpp"
#include "transport/message_socket.hpp"
#include "wire/hub/message.hpp"

namespace sluice::hub::service {

struct GatewayOptions {
  config::Settings settings{};
  std::size_t shards = 1;  ///< Event loops, each on a thread of its own.
};

/// One client as an operator sees it.
struct ClientView {
  ConnectionRef ref;
  std::string user{};
  std::string session{};
  std::string agent{};
  std::string device{};
  std::string remote{};
  wire::hub::Encoding encoding{};
  bool welcomed = false;
  bool acknowledges = false;
  Duration age{};
  std::size_t groups = 0;
  transport::MessageSocketStats socket{};
  wire::hub::PressureSample pressure{};              ///< Now.
  std::vector<wire::hub::PressureSample> history{};  ///< While it was slow, the oldest first; not in lists.
};

/// A session as an operator asks for it: that of a connection, or one that has lost its own.
struct SessionView {
  std::string user{};
  std::optional<ConnectionRef> connection{};  ///< The present one.
  std::optional<wire::hub::Ended> ended{};    ///< How the last one before it ended.
};

/// What there is to know of all shards together, at one time for each.
struct GatewayStatus {
  std::size_t sockets = 0;
  std::size_t greetings = 0;
  std::uint64_t gave_way = 0;  ///< Clients whose place among them went to a newcomer.
  std::size_t users = 0;
  std::size_t clients = 0;
  std::size_t welcomed = 0;  ///< Of them.
  std::size_t slow = 0;      ///< Of them, those for whom something waits.
  std::size_t conversations = 0;
  Books books{};
  std::uint64_t pending = 0;  ///< Copies, counted from what waits.
  ShardCounts counts{};
  ShardTotals totals{};
  Turnstile::Counts turnstile{};
  flow::AccountStats memory{};
  flow::AccountStats backlog{};
  store::Books store{};
  store::Health store_health{};
  std::uint64_t epoch = 0;
};

/// The messaging half of a hub: its shards, their store, and who may come in.
///
/// Made, asked, drained and ended on one executor, its owner's; the shards have threads of their own.
class Gateway {
 public:
  /// Opens the store; waits for the disk. Errors: those of the store and of the keys.
  [[nodiscard]] static Result<std::unique_ptr<Gateway>> create(const boost::asio::any_io_executor& executor,
                                                               GatewayOptions options);
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;
  ~Gateway();  ///< Ends everything at once, unless `end` has.

  /// An event loop that clients' sockets live on, and who takes them there.
  struct Place {
    boost::asio::any_io_executor executor;
    transport::SocketHandler handler;
  };
  [[nodiscard]] std::vector<Place> places();
  /// When a client is to try again, if it may not come in now.
  [[nodiscard]] std::optional<std::chrono::seconds> busy(const transport::HttpRequest& request);

  /// Takes up what `needs_restart` does not name. Error: the keys cannot be read; nothing has changed then.
  [[nodiscard]] Status reload(config::Settings settings);
  /// Reads the keys of tokens again. Error: they cannot be read, and the old ones stay.
  [[nodiscard]] Status reload_keys();
  [[nodiscard]] const config::Settings& settings() const;
  /// What pays for messages that clients have not finished.
  [[nodiscard]] std::shared_ptr<flow::Account> parts() const;

  /// Its last attempt to write failed.
  [[nodiscard]] bool store_fails() const;

  boost::asio::awaitable<GatewayStatus> status();
  /// Those of one user, or all; at most so many, those first for whom most waits.
  boost::asio::awaitable<std::vector<ClientView>> clients(std::optional<std::string> user, std::size_t most);
  boost::asio::awaitable<std::optional<ClientView>> client(ConnectionRef ref);
  /// Nothing: nobody has it, and what was before is not known, or not any more.
  boost::asio::awaitable<std::optional<SessionView>> session(std::string name);
  /// How many connections were told to go.
  boost::asio::awaitable<std::size_t> kick_user(std::string user, std::string message);
  boost::asio::awaitable<bool> kick(ConnectionRef ref, std::string message);

  /// Sends everybody away, a few at a time, within `limits::kHubDrainTimeout`.
  boost::asio::awaitable<void> drain();
  /// Ends the shards where they are and checks the books. Waits for their threads and for the disk. Error:
  /// the books do not balance. Places are nothing any more: whoever sends sockets there has stopped before.
  [[nodiscard]] Status end();

 private:
  class Impl;
  explicit Gateway(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::hub::service
