#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "core/error.hpp"
#include "core/hub_limits.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"
#include "transport/forwarded.hpp"
#include "transport/http.hpp"
#include "transport/message_socket.hpp"
#include "transport/site_name.hpp"
#include "transport/websocket/admission.hpp"
#include "transport/websocket/certificate.hpp"
#include "transport/websocket/link_options.hpp"
#include "transport/websocket/socket_options.hpp"
#include "transport/websocket/url.hpp"

namespace sluice::websocket {

struct ServerLimits {
  AdmissionLimits admission{};
  Bytes header = limits::kHttpHeader;
  Duration handshake = limits::kHandshakeTimeout;  ///< For the answer that makes a WebSocket to be sent.
  Duration page = limits::kPageTimeout;            ///< For a page's handler.
  Duration linger = limits::kHttpLinger;
  Duration stop = limits::kLinkCloseTimeout;  ///< For connections to end in good order once it stops.
};

/// Proxies in front of this server.
struct ProxyOptions {
  transport::TrustedProxies trusted{};
  transport::Forwarding forwarding = transport::Forwarding::x_forwarded_for;
};

struct ServerOptions {
  std::optional<PemFiles> tls{};  ///< Absent: plain HTTP, and then on loopback addresses only.
  ServerLimits limits{};
  ProxyOptions proxies{};
  /// With it requests are looked at (transport/site_policy.hpp) before anything else is done with them;
  /// absent: any `Host` and `Origin` will do.
  std::optional<transport::SiteRules> site{};
};

/// What a page takes.
struct PageOptions {
  std::vector<transport::HttpMethod> methods{transport::HttpMethod::get};  ///< HEAD goes with GET.
  Bytes max_body{
      0};  ///< More is refused (413): at once when its length is told, otherwise where it passes this.
};

/// May wait. It ends when it is cancelled, with `operation_aborted`: when it has taken longer than
/// `ServerLimits::page`, and when the server stops. Throws nothing else. Kept until the server's end, so that
/// a lambda may be a coroutine and capture.
using AsyncHttpHandler =
    std::function<boost::asio::awaitable<transport::HttpResponse>(transport::HttpRequest)>;

/// How connections ended that did not become a link.
enum class ServerCount : std::uint8_t {
  answered,      ///< With a handler's response, whatever it says.
  full,          ///< Rejected: as many connections as there may be.
  address_full,  ///< Rejected: as many from this address.
  network_full,  ///< Rejected: as many from this address's IPv6 /48.
  gave_way,      ///< Closed before its request had come: its slot went to a newcomer.
  timed_out,     ///< TLS, header or request took too long.
  tls_failed,
  busy,            ///< Told to come again (`SocketOptions::busy`).
  lost,            ///< The system did not let it move to its shard.
  unanswered,      ///< The page's handler took too long, or gave up (503).
  bad_request,     ///< No HTTP, too large a header or body, no such path or method, a broken upgrade.
  bad_proxy,       ///< A trusted proxy did not say in the PROXY protocol whose connection it is.
  no_descriptor,   ///< The system had no descriptor left for it.
  foreign_host,    ///< Rejected: the server does not go by its `Host` (403).
  foreign_origin,  ///< Rejected: made by a page of another origin (403).
};
inline constexpr std::size_t kServerCounts = static_cast<std::size_t>(ServerCount::foreign_origin) + 1;

/// An HTTP server for small requests and for WebSockets, on several addresses, with TLS or on loopback
/// only.
///
/// One shard; accepted sockets may live on others. Handlers are set before the first `listen`; they run on
/// the shard and are short. A connection carries one request: after a response it is closed. Every connection
/// is bounded in time until it is a link, and from then on by its pings; their number is bounded in total and
/// for each address.
class Server {
 public:
  /// Errors: `not_found`, `malformed` (the PEM files).
  [[nodiscard]] static Result<std::unique_ptr<Server>> create(boost::asio::any_io_executor executor,
                                                              ServerOptions options);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();  ///< `stop` must have ended, or the shard have run dry, before this.

  void on_get(std::string path, transport::HttpHandler handler);
  /// A path that ends in `/*` means all that begins with what stands before the `*`. A path of its own comes
  /// first, then the longest such beginning; WebSockets come before pages.
  void on_page(std::string path, PageOptions options, AsyncHttpHandler handler);
  void on_link(std::string path, LinkOptions options, transport::LinkHandler handler);
  /// For many clients: frames of our own (docs/wire/websocket.md) instead of Beast's stream.
  void on_socket(std::string path, SocketOptions options, transport::SocketHandler handler);
  /// The same, dealt out in turn: this shard accepts, shakes hands and upgrades; then the connection moves to
  /// the next of `shards` (one at least) and is handed to its handler there.
  void on_socket(std::string path, SocketOptions options, std::vector<SocketShard> shards);

  /// Begins to accept there and returns the URL without a path, with the port that the kernel chose if it was
  /// to. Errors: `address_in_use`, `permission_denied` (also: plain HTTP beyond loopback),
  /// `invalid_argument`, `limit_exceeded`, `io`.
  [[nodiscard]] Result<std::string> listen(const ListenAddress& address);
  /// The same without TLS, anywhere: for a proxy that ends TLS on its way here.
  [[nodiscard]] Result<std::string> listen_plain(const ListenAddress& address);

  /// For connections that come from now on.
  void set_admission(const AdmissionLimits& limits);
  /// Reads the certificate and its key again, for connections from now on. Requires TLS. Errors: as of
  /// `create`; nothing has changed then.
  [[nodiscard]] Status reload_tls(const PemFiles& files);
  /// For requests from now on. Requires `ServerOptions::site`.
  void set_site_rules(const transport::SiteRules& rules);
  /// `SocketOptions::ping` and `missed_pings` of the sockets that are opened at this path from now on. There
  /// is such a path.
  struct Pings {
    Duration interval;
    std::uint64_t misses;
  };
  void set_pings(std::string_view path, Pings pings);

  /// The certificate's; absent without TLS.
  [[nodiscard]] std::optional<Fingerprint> fingerprint() const;

  /// Accepts no more, ends what still shakes hands, closes every link and socket of this shard with 1001
  /// (going away) and `reason`, and waits for them and for the sockets of other shards within
  /// `ServerLimits::stop`; what is left here then is cut. To be called once.
  boost::asio::awaitable<void> stop(std::string reason);

  [[nodiscard]] std::size_t connections() const;
  /// For the handler of a page, whose own connection is one of them and ends with its answer: beside it there
  /// are as many connections as there may be, and a newcomer is rejected.
  [[nodiscard]] bool is_full() const;
  [[nodiscard]] std::uint64_t count(ServerCount what) const;

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::websocket
