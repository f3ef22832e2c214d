#include "transport/dialing/connect.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/system/error_code.hpp>

#include "runtime/timed_wake_up.hpp"
#include "transport/dialing/race.hpp"
#include "transport/dialing/resolver.hpp"

namespace sluice::dialing {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using boost::system::error_code;
using Why = ConnectFailure::Why;
using Outcome = std::expected<tcp::socket, ConnectFailure>;

namespace {

/// Of several failures the one that says most: the later in this order.
int weight(Why why) {
  constexpr std::array kOrder{Why::not_found, Why::unreachable, Why::timed_out, Why::refused,
                              Why::no_descriptors};
  return static_cast<int>(std::ranges::find(kOrder, why) - kOrder.begin());
}

ConnectFailure failure_of(const error_code& error) {
  namespace errc = boost::system::errc;
  Why why = Why::unreachable;
  if (error == asio::error::connection_refused) why = Why::refused;
  if (error == asio::error::timed_out) why = Why::timed_out;
  if (error == errc::too_many_files_open || error == errc::too_many_files_open_in_system ||
      error == errc::no_buffer_space || error == errc::not_enough_memory)
    why = Why::no_descriptors;
  return {.why = why, .text = error.message()};
}

ConnectFailure failure_of(const Answer& answer) {
  switch (answer.miss) {
    case Answer::Miss::none:
    case Answer::Miss::not_found:
      return {.why = Why::not_found, .text = answer.text};
    case Answer::Miss::trouble:
      break;
    case Answer::Miss::no_descriptors:
      return {.why = Why::no_descriptors, .text = answer.text};
  }
  return {.why = Why::unreachable, .text = answer.text};
}

}  // namespace

class Connect::Impl final : public Resolver::Asker, public std::enable_shared_from_this<Impl> {
 public:
  explicit Impl(const asio::any_io_executor& executor)
      : executor_(executor), resolver_(Resolver::of(executor)), changed_(executor) {}

  asio::awaitable<Outcome> run(Destination to, ConnectOptions options);
  void give_up();
  /// Closes all attempts: their handlers find themselves forgotten.
  void end();

 private:
  struct Attempt {
    tcp::socket socket;
    Race::Room place;
  };
  void look_up(const std::string& host);
  void on_answer(Family family, const Answer& answer) override;
  void begin_attempts();
  void begin(const Race::Step& step, Race::Room place);
  void on_attempt(AttemptId id, const error_code& error);
  std::map<AttemptId, Attempt>::iterator remove(std::map<AttemptId, Attempt>::iterator attempt);
  void note(ConnectFailure failure);
  [[nodiscard]] std::optional<Outcome> outcome(TimePoint deadline);

  asio::any_io_executor executor_;
  Resolver& resolver_;
  runtime::TimedWakeUp changed_;
  Race race_;
  std::map<AttemptId, Attempt> attempts_;  // at most `limits::kAttemptsAtOnce`
  ConnectOptions options_;
  std::uint16_t port_ = 0;
  std::optional<tcp::socket> won_;
  std::optional<ConnectFailure> failure_;  // the weightiest so far
  std::optional<ConnectFailure> final_;    // that ends it at once
};

void Connect::Impl::look_up(const std::string& host) {
  error_code not_numeric;
  const auto address = asio::ip::make_address(host, not_numeric);
  if (not_numeric) return resolver_.look_up(host, shared_from_this(), executor_);
  const Family family = address.is_v6() ? Family::v6 : Family::v4;
  on_answer(family == Family::v6 ? Family::v4 : Family::v6, {});
  on_answer(family, {.addresses = {address}});
}

void Connect::Impl::on_answer(Family family, const Answer& answer) {
  if (final_ || won_ || race_.resolved(family)) return;
  if (answer.miss != Answer::Miss::none) note(failure_of(answer));
  for (const Address& address : answer.addresses) {
    if (!options_.allow) break;
    if (auto allowed = options_.allow(address); !allowed)
      final_ = {.why = Why::not_allowed, .text = allowed.error().message, .error = allowed.error()};
  }
  race_.found(family, answer.addresses, Clock::now());
  changed_.notify();
}

void Connect::Impl::begin_attempts() {
  while (!won_ && !final_) {
    auto place = race_.in_flight() ? Race::Room::more : Race::Room::first_only;
    const bool spare = place == Race::Room::more && resolver_.take_spare_attempt();
    const auto step = race_.next(Clock::now(), spare ? Race::Room::more : Race::Room::first_only);
    if (!step && spare) resolver_.give_spare_attempt();
    if (!step) return;
    if (step->gives_way) {
      note({.why = Why::timed_out, .text = "no answer"});
      const auto oldest = attempts_.find(*step->gives_way);
      place = oldest->second.place;
      attempts_.erase(oldest);
      if (spare) resolver_.give_spare_attempt();
    }
    begin(*step, place);
  }
}

void Connect::Impl::begin(const Race::Step& step, Race::Room place) {
  const tcp::endpoint endpoint{step.address, port_};
  tcp::socket& socket = attempts_.emplace(step.id, Attempt{.socket = tcp::socket{executor_}, .place = place})
                            .first->second.socket;
  error_code error;
  socket.open(endpoint.protocol(), error);
  if (error) return on_attempt(step.id, error);
  if (options_.receive_buffer) {
    error_code ignored;
    const auto size = static_cast<int>(options_.receive_buffer->count());
    socket.set_option(asio::socket_base::receive_buffer_size{size}, ignored);
  }
  socket.async_connect(endpoint, [self = shared_from_this(), id = step.id](const error_code& failed) {
    self->on_attempt(id, failed);
  });
}

/// Whether an attempt was cancelled is known from the list, not from its error: Asio has the same error for
/// sockets that never opened.
void Connect::Impl::on_attempt(AttemptId id, const error_code& error) {
  const auto attempt = attempts_.find(id);
  if (attempt == attempts_.end()) return;
  if (error) {
    note(failure_of(error));
    race_.failed(id);
  } else {
    won_.emplace(std::move(attempt->second.socket));
  }
  remove(attempt);
  changed_.notify();
}

std::map<AttemptId, Connect::Impl::Attempt>::iterator Connect::Impl::remove(
    std::map<AttemptId, Attempt>::iterator attempt) {
  if (attempt->second.place == Race::Room::more) resolver_.give_spare_attempt();
  return attempts_.erase(attempt);
}

void Connect::Impl::note(ConnectFailure failure) {
  if (!failure_ || weight(failure.why) > weight(failure_->why)) failure_ = std::move(failure);
}

void Connect::Impl::give_up() {
  if (!final_) final_ = {.why = Why::given_up, .text = "nobody wants it any more"};
  end();
  changed_.notify();
}

void Connect::Impl::end() {
  if (!final_) final_ = {.why = Why::given_up, .text = {}};
  for (auto each = attempts_.begin(); each != attempts_.end();) each = remove(each);
}

std::optional<Outcome> Connect::Impl::outcome(TimePoint deadline) {
  if (final_) return std::unexpected(*final_);
  if (won_) return Outcome{std::move(*won_)};
  if (race_.lost()) {
    return std::unexpected(
        failure_.value_or(ConnectFailure{.why = Why::not_found, .text = "it has no address"}));
  }
  if (Clock::now() < deadline) return std::nullopt;
  const bool looked_up = race_.resolved(Family::v6) || race_.resolved(Family::v4);
  return std::unexpected(
      ConnectFailure{.why = Why::timed_out, .text = looked_up ? "no answer" : "no name server answered"});
}

asio::awaitable<Outcome> Connect::Impl::run(Destination to, ConnectOptions options) {
  const TimePoint deadline = Clock::now() + options.limit;
  options_ = std::move(options);
  port_ = to.port;
  if (!final_) look_up(to.host);
  for (;;) {
    begin_attempts();
    if (auto over = outcome(deadline)) co_return std::move(*over);
    co_await changed_.wait_until(std::min(race_.next_deadline().value_or(deadline), deadline));
  }
}

Connect::Connect(const asio::any_io_executor& executor) : impl_(std::make_shared<Impl>(executor)) {}
Connect::~Connect() {
  impl_->end();
}

asio::awaitable<Outcome> Connect::run(Destination to, ConnectOptions options) {
  const auto impl = impl_;
  struct End {
    Impl& impl;
    ~End() { impl.end(); }
  } const end{*impl};
  auto running = impl->run(std::move(to), std::move(options));
  co_return co_await std::move(running);
}

void Connect::give_up() {
  impl_->give_up();
}

}  // namespace sluice::dialing
