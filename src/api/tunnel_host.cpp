#include "api/tunnel_host.hpp"

#include <iterator>
#include <list>
#include <utility>

#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <fmt/format.h>

#include "api/hub_connector.hpp"
#include "api/session_status.hpp"
#include "api/tunnel_resources.hpp"
#include "core/limits.hpp"
#include "peer/rendezvous/host.hpp"
#include "peer/tunnel/host_session.hpp"
#include "runtime/task_scope.hpp"
#include "runtime/wake_up.hpp"
#include "transport/webrtc/peer_connection.hpp"

namespace sluice::api {
namespace {

namespace asio = boost::asio;

/// The rendezvous that brings clients, and a tunnel session for each of them.
class TunnelHost final : public Job, private rendezvous::HostListener {
 public:
  TunnelHost(asio::any_io_executor executor, TunnelHostOptions options, TunnelHostObserver& observer)
      : executor_(std::move(executor)),
        targets_(std::move(options.targets)),
        max_clients_(options.max_clients),
        resources_(options.peer.ice, {.memory = options.memory, .sessions = options.max_clients}),
        observer_(observer),
        rendezvous_({.connect = hub_connector(options.peer.hub),
                     .make_peer = webrtc::peer_connection_factory(executor_, options.peer.ice),
                     .key = std::move(options.key)},
                    *this),
        waiting_(executor_),
        serving_(executor_),
        changed_(executor_) {}

  asio::awaitable<std::optional<Failure>> run() override;
  void stop() override;
  [[nodiscard]] std::optional<TunnelStatus> status() const override;

 private:
  struct Session {
    std::uint64_t number;
    std::unique_ptr<tunnel::HostSession> tunnel;
  };

  void on_waiting(const std::optional<crypto::Code>& code, std::optional<Duration> expires_in) override;
  void on_code_burnt(const Error& reason) override { observer_.on_code_burnt(reason); }
  void on_progress(rendezvous::Progress) override {}
  [[nodiscard]] std::optional<Error> rejection() override;
  void on_peer(std::unique_ptr<transport::Link> channel) override;
  void on_trouble(const rendezvous::Failure& failure) override;

  asio::awaitable<void> wait_for_clients();
  asio::awaitable<void> serve(std::list<Session>::iterator session);

  asio::any_io_executor executor_;
  tunnel::Targets targets_;
  std::size_t max_clients_;
  TunnelResources resources_;
  TunnelHostObserver& observer_;
  rendezvous::HostRendezvous rendezvous_;
  std::list<Session> sessions_;
  std::uint64_t last_number_ = 0;
  TunnelStatus ended_;  ///< Totals of the sessions that are over.
  std::optional<Failure> failure_;
  bool stopping_ = false;
  runtime::TaskScope waiting_;
  runtime::TaskScope serving_;
  runtime::WakeUp changed_;
};

asio::awaitable<std::optional<Failure>> TunnelHost::run() {
  waiting_.spawn(wait_for_clients());
  while (!stopping_ && !failure_) co_await changed_.wait();
  waiting_.cancel();
  co_await waiting_.join();
  for (Session& session : sessions_) session.tunnel->stop();
  co_await serving_.join();
  co_return failure_;
}

void TunnelHost::stop() {
  stopping_ = true;
  changed_.notify();
}

asio::awaitable<void> TunnelHost::wait_for_clients() {
  failure_ = to_failure(co_await rendezvous_.run());
  changed_.notify();
}

void TunnelHost::on_waiting(const std::optional<crypto::Code>& code, std::optional<Duration> expires_in) {
  observer_.on_waiting(code, expires_in);
}

void TunnelHost::on_trouble(const rendezvous::Failure& failure) {
  observer_.on_trouble(to_failure(failure));
}

/// One introduction at a time, so that whoever was not rejected finds a place at its end.
std::optional<Error> TunnelHost::rejection() {
  if (sessions_.size() < max_clients_) return resources_.rejection(sessions_.size());
  return Error{.code = Errc::busy,
               .message = fmt::format("The host is full: it serves {} client{}, as many as it may at once.",
                                      sessions_.size(), sessions_.size() == 1 ? "" : "s")};
}

void TunnelHost::on_peer(std::unique_ptr<transport::Link> channel) {
  const std::uint64_t number = ++last_number_;
  observer_.on_peer_connected(number, channel->path());
  sessions_.push_back({.number = number,
                       .tunnel = std::make_unique<tunnel::HostSession>(
                           executor_, std::move(channel), targets_, resources_.session_options())});
  const auto session = std::prev(sessions_.end());
  serving_.spawn(serve(session));
}

asio::awaitable<void> TunnelHost::serve(std::list<Session>::iterator session) {
  const Error reason = co_await session->tunnel->run();
  TunnelStatus totals;
  add_session(totals, *session->tunnel);
  add_totals(ended_, totals);
  observer_.on_peer_closed(session->number, reason, totals);
  sessions_.erase(session);
}

std::optional<TunnelStatus> TunnelHost::status() const {
  TunnelStatus all = ended_;
  all.sessions = sessions_.size();
  for (const Session& session : sessions_) add_session(all, *session.tunnel);
  return all;
}

}  // namespace

std::unique_ptr<Job> make_tunnel_host(asio::any_io_executor executor, TunnelHostOptions options,
                                      TunnelHostObserver& observer) {
  return std::make_unique<TunnelHost>(std::move(executor), std::move(options), observer);
}

}  // namespace sluice::api
