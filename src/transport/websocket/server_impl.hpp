#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>

#include "core/admission_limits.hpp"
#include "observe/log_pace.hpp"
#include "runtime/task_scope.hpp"
#include "runtime/wake_up.hpp"
#include "transport/site_policy.hpp"
#include "transport/websocket/connection.hpp"
#include "transport/websocket/link.hpp"
#include "transport/websocket/native_stream.hpp"
#include "transport/websocket/server.hpp"
#include "transport/websocket/server_pages.hpp"
#include "transport/websocket/spare_descriptor.hpp"
#include "transport/websocket/upgrade.hpp"

/// For the room itself: the server's inside, whose parts stand in several files.
namespace sluice::websocket {

class Deadline;

class Server::Impl {
 public:
  Impl(asio::any_io_executor executor, ServerOptions options, std::optional<asio::ssl::context> tls,
       std::optional<Fingerprint> fingerprint);

  enum class Carrier : std::uint8_t { tls, plain };
  Result<std::string> listen(const ListenAddress& address);
  Result<std::string> listen(const ListenAddress& address, Carrier carrier);
  asio::awaitable<void> stop(std::string reason);
  void set_admission(const AdmissionLimits& limits);
  void set_pings(std::string_view path, Pings pings);
  void set_site_rules(const transport::SiteRules& rules);
  Status reload_tls(const PemFiles& files);

  struct LinkRoute {
    LinkOptions options;
    transport::LinkHandler handler;
  };
  /// Where a socket may go; kept by what is on its way there.
  struct Destination {
    SocketShard shard;
    std::shared_ptr<ReadBuffer> scratch = std::make_shared<ReadBuffer>();
  };
  struct SocketRoute {
    SocketOptions options;
    std::vector<std::shared_ptr<const Destination>> destinations;
    std::size_t next = 0;
  };
  Pages pages_;
  std::map<std::string, std::variant<LinkRoute, SocketRoute>, std::less<>> routes_;
  std::array<std::uint64_t, kServerCounts> counts_{};

  [[nodiscard]] const std::optional<Fingerprint>& fingerprint() const { return fingerprint_; }
  [[nodiscard]] std::size_t connections() const { return admitted_->admission.connections(); }
  [[nodiscard]] bool is_full() const { return admitted_->admission.is_beyond_total(); }
  [[nodiscard]] const asio::any_io_executor& executor() const { return tasks_.executor(); }

 private:
  /// What the server can do with a connection that became a WebSocket.
  using Open = std::variant<std::weak_ptr<LinkCore>, std::weak_ptr<Connection>>;

  struct Ticket;
  /// What outlives the server while a connection's last operation still refers to it.
  struct Admitted {
    Admitted(AdmissionLimits limits, const asio::any_io_executor& executor)
        : admission(limits), changed(executor) {}
    Admission admission;
    Admission::Id last = 0;
    std::unordered_map<Admission::Id, Ticket*> tickets;
    std::list<Open> open;
    runtime::WakeUp changed;  ///< A connection has ended.
  };

  /// A connection's place in the counts, from accept until its socket is closed.
  struct Ticket {
    Ticket(std::shared_ptr<Admitted> in, Admission::Id number) : admitted(std::move(in)), id(number) {
      admitted->tickets.emplace(id, this);
    }
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;
    ~Ticket() {
      if (place) admitted->open.erase(*place);
      admitted->tickets.erase(id);
      admitted->admission.leave(id);
      admitted->changed.notify();
    }
    void handshake_ended() {
      admitted->admission.handshake_ended(id);
      stop = nullptr;
    }
    /// It has its answer, and only has to hang up: `end` ends the wait for that.
    void answered(std::function<void()> end) {
      is_answered = true;
      stop = std::move(end);
      admitted->admission.answered(id, Clock::now());
    }
    /// Its slot goes to a newcomer: what it waits for ends.
    void give_way() {
      gave_way = true;
      if (stop) stop();
    }
    std::shared_ptr<Admitted> admitted;
    Admission::Id id;
    std::optional<std::list<Open>::iterator> place;
    std::function<void()> stop{};  ///< Ends the handshake, or the wait for its end; set while there is one.
    bool gave_way = false;
    bool is_answered = false;
  };

  /// A ticket in the hands of another shard: it comes back to where the counts are.
  class Lease {
   public:
    Lease(asio::any_io_executor home, std::shared_ptr<Ticket> ticket)
        : home_(std::move(home)), ticket_(std::move(ticket)) {}
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() {
      asio::post(home_, [ticket = std::move(ticket_)]() mutable { ticket.reset(); });
    }

   private:
    asio::any_io_executor home_;
    std::shared_ptr<Ticket> ticket_;
  };

  /// A connection until it is answered, or a WebSocket.
  struct Visit {
    NativeStream stream;
    Carrier carrier;
    std::string remote;
    std::shared_ptr<Ticket> ticket;
    ByteBuffer behind{};  ///< Read, and of no use yet; in the end what came behind the request.
  };

  void count(ServerCount what) { ++counts_[static_cast<std::size_t>(what)]; }
  std::shared_ptr<Ticket> admit(const asio::ip::address& remote);
  [[nodiscard]] static ServerCount count_of(Admission::Verdict verdict);
  void end_for_newcomer(Admission::Id id);
  [[nodiscard]] AdmissionSource source_of(const asio::ip::address& remote) const;
  /// How a handshake ended without a request; one that gave way has been counted.
  void count_end(Visit& visit, const Deadline& deadline, ServerCount otherwise);
  void turn_away(asio::ip::tcp::socket& socket, Carrier carrier);
  /// For the next one that is told to come back.
  [[nodiscard]] std::chrono::seconds retry_after();
  struct Listener {
    asio::ip::tcp::acceptor acceptor;
    Carrier carrier;
    SpareDescriptor spare{};
  };
  asio::awaitable<void> accept(Listener& listener);
  void on_accept_failed(Listener& listener, const error_code& error);
  void log_refusal(std::string_view kind, const std::string& address);
  struct Arrival {
    asio::ip::tcp::socket socket;
    std::string remote;
    Carrier carrier;
  };
  asio::awaitable<void> serve(Arrival arrival, std::shared_ptr<Ticket> ticket);
  /// Reads the header of the PROXY protocol, where a trusted proxy has to send one. False: refused and
  /// counted.
  asio::awaitable<bool> hear_proxy(Visit& visit, const Deadline& deadline);
  /// Takes up what the request's fields say. False: this client has as many connections as it may have.
  [[nodiscard]] bool hear_fields(Visit& visit, const Request& request);
  [[nodiscard]] bool identify(Visit& visit, std::string client);
  asio::awaitable<bool> shake_hands(Visit& visit, const Deadline& deadline);
  /// Appends to what is `behind`. False: it is gone, or too late; counted.
  asio::awaitable<bool> read_more(Visit& visit, const Deadline& deadline);
  /// False: there is none; refused and counted.
  asio::awaitable<bool> read_header(Visit& visit, RequestParser& parser, Deadline& deadline);
  /// `ok`: all of it is in the parser; otherwise why not. Absent: it is gone; counted.
  asio::awaitable<std::optional<beast::http::status>> read_body(Visit& visit, RequestParser& parser,
                                                                Bytes most, const Deadline& deadline);
  /// The answer to a request that is for another server, or made by a page of another; counted.
  [[nodiscard]] std::optional<Response> refuse_foreign(Visit& visit, const Request& request);
  void note_refused(ServerCount why, const Visit& visit, std::string_view named);
  asio::awaitable<void> visit_page(Visit& visit, RequestParser& parser, Deadline& deadline);
  asio::awaitable<transport::HttpResponse> run(const Page& page, transport::HttpRequest request);
  asio::awaitable<void> answer(Visit& visit, Response response);
  asio::awaitable<void> upgrade(Visit& visit, const Request& request, const LinkRoute& route);
  asio::awaitable<void> upgrade(Visit& visit, const Request& request, SocketRoute& route);
  void hand_over(Visit& visit, Connection::Setup setup, transport::AcceptedSocket accepted,
                 const std::shared_ptr<const Destination>& to);

  runtime::TaskScope tasks_;
  ServerLimits limits_;
  std::optional<asio::ssl::context> tls_;
  std::optional<Fingerprint> fingerprint_;
  std::shared_ptr<Admitted> admitted_;
  ProxyOptions proxies_;
  std::list<Listener> listeners_;
  observe::LogPace refusals_{limits::kRefusalLogPause, limits::kRefusalLogEntries};
  observe::LogPace troubles_{limits::kAcceptLogPause, limits::kRefusalLogEntries};
  std::optional<transport::SitePolicy> site_;
  std::chrono::seconds turned_away_{};  ///< One for each.
};

}  // namespace sluice::websocket
