#include "api/tunnel_forward.hpp"

#include <optional>
#include <random>
#include <utility>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "api/hub_connector.hpp"
#include "api/reconnect_pace.hpp"
#include "api/session_status.hpp"
#include "api/tunnel_resources.hpp"
#include "peer/rendezvous/client.hpp"
#include "peer/tunnel/forward_session.hpp"
#include "runtime/task_scope.hpp"
#include "runtime/wake_up.hpp"
#include "transport/webrtc/peer_connection.hpp"

namespace sluice::api {
namespace {

namespace asio = boost::asio;

rendezvous::Credential credential_of(const Credential& credential) {
  return std::visit([](const auto& known) { return rendezvous::Credential::of(known); }, credential);
}

/// Whether waiting may help: a host or a hub may come back, but not another certificate, or options that make
/// sense.
bool can_heal(const Failure& failure) {
  const Errc code = failure.error.code;
  return failure.stage != Stage::start && code != Errc::invalid_argument && code != Errc::permission_denied;
}

/// A program that reads standard output cannot see a reset: it must learn from the exit status that what it
/// got is not all there was.
std::optional<Failure> stdio_failure(const std::string& target, const std::optional<tunnel::StreamEnd>& end,
                                     const Error& session) {
  using By = tunnel::StreamEnd::By;
  if (!end || end->by == By::session) return Failure{.stage = Stage::running, .error = session};
  if (end->by == By::both || end->reason == wire::CloseReason::normal) return std::nullopt;
  return Failure{
      .stage = Stage::running,
      .error = {.code = end->by == By::remote ? Errc::refused : Errc::io,
                .message = fmt::format("the connection to {} was closed ({}){}{}",
                                       target.empty() ? "the host's default target" : '"' + target + '"',
                                       name_of(end->reason), end->text.empty() ? "" : ": ", end->text)}};
}

/// One tunnel after the other: with a code there is one, with a key the host is sought again when it was
/// lost.
class TunnelForward final : public Job {
 public:
  TunnelForward(asio::any_io_executor executor, TunnelForwardOptions options, TunnelForwardObserver& observer)
      : executor_(std::move(executor)),
        options_(std::move(options)),
        observer_(observer),
        attempt_(executor_),
        changed_(executor_) {}

  asio::awaitable<std::optional<Failure>> run() override;
  void stop() override;
  [[nodiscard]] std::optional<TunnelStatus> status() const override;

 private:
  asio::awaitable<void> keep_connected();
  asio::awaitable<std::optional<Failure>> connect_once();
  asio::awaitable<std::optional<Failure>> forward_over(std::unique_ptr<transport::Link> link);
  [[nodiscard]] Status open_entrances();
  void tell_listening();
  asio::awaitable<void> take_connections();
  asio::awaitable<void> pause(const Failure& failure);

  asio::any_io_executor executor_;
  TunnelForwardOptions options_;
  TunnelForwardObserver& observer_;
  std::optional<TunnelResources> resources_;  ///< Once the ports are open, which take descriptors too.
  ReconnectPace pace_;
  tunnel::ForwardSession* session_ = nullptr;  ///< While it runs.
  TunnelStatus ended_;                         ///< Totals of the tunnels that are over.
  std::optional<Failure> failure_;
  bool done_ = false;
  bool stopping_ = false;
  bool told_listening_ = false;
  std::unique_ptr<tunnel::Entrances> entrances_;
  runtime::TaskScope attempt_;
  runtime::WakeUp changed_;
};

asio::awaitable<std::optional<Failure>> TunnelForward::run() {
  // Before a host is sought: a port that is taken must not cost a code, or the host's attention.
  if (auto opened = open_entrances(); !opened)
    co_return Failure{.stage = Stage::start, .error = std::move(opened.error())};
  resources_.emplace(options_.peer.ice, TunnelResources::Bounds{.memory = options_.memory, .sessions = 1});
  attempt_.spawn(take_connections());
  attempt_.spawn(keep_connected());
  while (!done_ && !(stopping_ && session_ == nullptr)) co_await changed_.wait();
  attempt_.cancel();
  co_await attempt_.join();
  co_return stopping_ ? std::nullopt : std::move(failure_);
}

void TunnelForward::stop() {
  stopping_ = true;
  if (entrances_) entrances_->close();
  if (session_ != nullptr) session_->stop();
  changed_.notify();
}

asio::awaitable<void> TunnelForward::keep_connected() {
  const bool lasting =
      std::holds_alternative<crypto::SharedKey>(options_.credential) && !options_.stdio_target;
  while (!stopping_) {
    failure_ = co_await connect_once();
    if (!failure_ || !lasting || !can_heal(*failure_)) break;
    co_await pause(*failure_);
  }
  done_ = true;
  changed_.notify();
}

asio::awaitable<void> TunnelForward::pause(const Failure& failure) {
  std::random_device random;
  const ReconnectPace::End end{.why = failure.error.code,
                               .random = std::uniform_real_distribution<double>{0, 1}(random)};
  const Duration wait = pace_.pause_after(end, Clock::now());
  observer_.on_retry(failure, wait);
  asio::steady_timer timer{executor_, wait};
  co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<std::optional<Failure>> TunnelForward::connect_once() {
  const TimePoint start = Clock::now();
  // A name of its own: GCC 12 destroys temporaries in a co_await expression twice (GCC bug 99576).
  rendezvous::ClientSetup setup{.connect = hub_connector(options_.peer.hub),
                                .make_peer = webrtc::peer_connection_factory(executor_, options_.peer.ice),
                                .credential = credential_of(options_.credential)};
  auto outcome = co_await rendezvous::connect_as_client(std::move(setup));
  if (!outcome) co_return to_failure(std::move(outcome.error()));
  pace_.connected(Clock::now());
  observer_.on_connected((*outcome)->path(), Clock::now() - start);
  co_return co_await forward_over(std::move(*outcome));
}

Status TunnelForward::open_entrances() {
  auto opened = tunnel::Entrances::open(executor_, options_.ports);
  if (!opened) return fail(std::move(opened.error()));
  entrances_ = std::move(*opened);
  return {};
}

/// They stay open from tunnel to tunnel, so it is said once.
void TunnelForward::tell_listening() {
  if (std::exchange(told_listening_, true)) return;
  for (const tunnel::LocalPort& port : entrances_->ports()) observer_.on_listening(port);
}

asio::awaitable<void> TunnelForward::take_connections() {
  return entrances_->run();
}

asio::awaitable<std::optional<Failure>> TunnelForward::forward_over(std::unique_ptr<transport::Link> link) {
  tell_listening();
  tunnel::ForwardSession::Ways ways{.entrances = entrances_.get(), .stdio_target = options_.stdio_target};
  tunnel::ForwardSession session{executor_, std::move(link), std::move(ways), resources_->session_options()};
  session_ = &session;
  const Error reason = co_await session.run();
  session_ = nullptr;
  add_session(ended_, session);
  changed_.notify();
  observer_.on_closed(reason);
  if (options_.stdio_target) co_return stdio_failure(*options_.stdio_target, session.stdio_end(), reason);
  if (reason.code == Errc::closed && stopping_) co_return std::nullopt;
  co_return Failure{.stage = Stage::running, .error = reason};
}

std::optional<TunnelStatus> TunnelForward::status() const {
  if (session_ == nullptr) return std::nullopt;
  TunnelStatus all;
  add_totals(all, ended_);
  all.sessions = 1;
  add_session(all, *session_);
  return all;
}

}  // namespace

std::unique_ptr<Job> make_tunnel_forward(asio::any_io_executor executor, TunnelForwardOptions options,
                                         TunnelForwardObserver& observer) {
  return std::make_unique<TunnelForward>(std::move(executor), std::move(options), observer);
}

}  // namespace sluice::api
