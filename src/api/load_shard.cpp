#include "api/load_shard.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "api/messaging_connector.hpp"
#include "flow/backoff.hpp"

namespace sluice::api {
namespace {

namespace asio = boost::asio;
using wire::hub::Conversation;
using wire::hub::Encoding;
using Accepts = websocket::FrameReaderOptions::Accepts;

constexpr auto kTick = std::chrono::milliseconds{1};
constexpr auto kAcknowledge = std::chrono::milliseconds{50};
constexpr flow::BackoffOptions kReconnect{.first = std::chrono::milliseconds{100},
                                          .longest = std::chrono::seconds{2}};

bool in_groups(const LoadOptions& options) {
  return options.mode == LoadOptions::Mode::group;
}

std::vector<Conversation> conversations_of(const LoadOptions& options) {
  std::vector<Conversation> all;
  const std::size_t count = in_groups(options) ? options.groups : options.clients;
  for (std::size_t i = 0; i < count; ++i) {
    if (in_groups(options)) {
      all.push_back({.kind = Conversation::Kind::group, .name = fmt::format("{}-g{}", options.prefix, i)});
    } else {
      all.push_back({.kind = Conversation::Kind::user, .name = fmt::format("{}-{}", options.prefix, i)});
    }
  }
  return all;
}

/// Slow ones are spread evenly over all.
bool is_slow(const LoadOptions& options, std::size_t index) {
  const auto below = [&](std::size_t count) {
    return static_cast<std::size_t>(static_cast<double>(count) * options.slow + 1e-9);
  };
  return below(index + 1) > below(index);
}

websocket::SocketConnectOptions connect_options(const LoadOptions& options, const LoadClient& client) {
  const bool json = options.encoding == Encoding::json;
  websocket::SocketConnectOptions how{.path = messaging_path(client.session_token())};
  how.subprotocols.push_back(
      {.name = std::string{json ? wire::hub::kJsonSubprotocol : wire::hub::kProtoSubprotocol},
       .messages = json ? Accepts::text : Accepts::binary});
  if (!options.hub.fingerprint.empty()) how.pin = options.hub.fingerprint;
  if (client.role().slow) how.receive_buffer = options.slow_receive_buffer;
  return how;
}

}  // namespace

LoadShard::LoadShard(const LoadOptions& options, Part part)
    : options_(options),
      tasks_(shard_.get_executor()),
      timer_(shard_),
      random_(options.run + part.first),
      conversations_(conversations_of(options)) {
  sent_to.resize(conversations_.size());
  LoadClient::Shared& shared = *this;
  for (std::size_t i = part.first; i < options_.clients; i += part.step) {
    LoadClient::Role role{.index = static_cast<std::uint32_t>(i),
                          .user = fmt::format("{}-{}", options_.prefix, i),
                          .conversation = static_cast<std::uint32_t>(i),
                          .slow = is_slow(options_, i)};
    if (in_groups(options_)) {
      role.conversation = static_cast<std::uint32_t>(i % options_.groups);
      role.group = conversations_[role.conversation].name;
    }
    clients_.push_back(
        std::make_unique<LoadClient>(shard_.get_executor(), options_, std::move(role), shared));
  }
  thread_ = std::thread{[this] {
    const auto work = asio::make_work_guard(shard_);
    shard_.run();
  }};
}

LoadShard::~LoadShard() {
  asio::post(shard_, [this] {
    closing_ = true;
    timer_.cancel();
    tasks_.cancel();
    asio::post(shard_, [this] { shard_.stop(); });
  });
  thread_.join();
  // What was cancelled comes to its end.
  while (tasks_.size() > 0) {
    shard_.restart();
    if (shard_.run_one() == 0) break;
  }
  clients_.clear();
  shard_.restart();
  shard_.poll();
}

// --- from the other thread

void LoadShard::connect(std::size_t at_once) {
  asio::post(shard_, [this, at_once] {
    for (const auto& client : clients_) to_open_.push_back(client.get());
    spawn_openers(at_once);
  });
}

void LoadShard::begin_sending(TimePoint at) {
  asio::post(shard_, [this, at] {
    sending_since_ = at;
    turns_ = 0;
    if (!std::exchange(ticking_, true)) schedule_tick();
  });
}

void LoadShard::stop_sending() {
  asio::post(shard_, [this] { sending_since_.reset(); });
}

void LoadShard::storm() {
  asio::post(shard_, [this] {
    for (const auto& client : clients_) client->drop();
  });
}

void LoadShard::hurry() {
  asio::post(shard_, [this] {
    for (const auto& client : clients_) client->hurry();
  });
}

void LoadShard::close() {
  asio::post(shard_, [this] {
    closing_ = true;
    for (const auto& client : clients_) client->close();
  });
}

void LoadShard::look(std::function<void(LoadSnapshot)> done) {
  asio::post(shard_, [this, done = std::move(done)] { done(snapshot()); });
}

LoadSnapshot LoadShard::snapshot() const {
  LoadSnapshot now{.counts = counts,
                   .latencies = latencies,
                   .sent_to = sent_to,
                   .failed_attempts = failed_attempts_,
                   .last_failure = last_failure_};
  now.receivers.reserve(clients_.size());
  for (const auto& client : clients_) {
    const ReceiverBook& book = client->book();
    now.receivers.push_back({.conversation = client->role().conversation,
                             .over = client->is_over(),
                             .ready = client->is_ready(),
                             .unanswered = client->unanswered(),
                             .delivered = book.delivered(),
                             .gapped = book.gapped(),
                             .out_of_order = book.out_of_order(),
                             .duplicates = book.duplicates(),
                             .untold = book.untold()});
  }
  return now;
}

// --- connections

void LoadShard::spawn_openers(std::size_t count) {
  for (std::size_t i = 0; i < std::min(count, to_open_.size()); ++i) tasks_.spawn(open_next());
}

asio::awaitable<void> LoadShard::open_next() {
  while (!closing_ && !to_open_.empty()) {
    LoadClient& client = *to_open_.front();
    to_open_.pop_front();
    co_await open(client);
  }
}

asio::awaitable<void> LoadShard::open(LoadClient& client) {
  flow::Backoff backoff{kReconnect};
  asio::steady_timer pause{shard_};
  const auto how = connect_options(options_, client);
  while (!closing_ && !client.is_over()) {
    auto attempt = co_await sockets_.connect(options_.hub.url, how);
    if (attempt.made) {
      client.open(std::move(*attempt.made));
      co_return;
    }
    ++failed_attempts_;
    last_failure_ = messaging_error(options_.hub, attempt);
    Duration wait = backoff.next(std::uniform_real_distribution<double>{0.0, 1.0}(random_));
    if (attempt.refusal && attempt.refusal->retry_after)
      wait = std::max<Duration>(wait, *attempt.refusal->retry_after);
    pause.expires_after(wait);
    co_await pause.async_wait(asio::use_awaitable);
  }
}

void LoadShard::on_ready(LoadClient& /*client*/) {}

void LoadShard::on_ended(LoadClient& client) {
  if (closing_ || client.is_over()) return;
  ++counts.reconnects;
  to_open_.push_back(&client);
  tasks_.spawn(open_next());
}

// --- sending

void LoadShard::schedule_tick() {
  timer_.expires_after(kTick);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error && !closing_) tick();
  });
}

void LoadShard::tick() {
  const TimePoint now = Clock::now();
  if (sending_since_) send_due(now);
  if (now - acknowledged_at_ >= kAcknowledge) {
    acknowledged_at_ = now;
    for (const auto& client : clients_) client->acknowledge();
  }
  schedule_tick();
}

/// The clients take turns, spread evenly over the interval.
void LoadShard::send_due(TimePoint now) {
  if (now < *sending_since_ || clients_.empty()) return;
  const auto passed = static_cast<double>((now - *sending_since_).count());
  const double turn = static_cast<double>(options_.interval.count()) / static_cast<double>(clients_.size());
  const auto due = static_cast<std::uint64_t>(passed / turn);
  for (; turns_ < due; ++turns_) {
    LoadClient& client = *clients_[turns_ % clients_.size()];
    const std::uint32_t to = target_of(client);
    client.publish(conversations_[to], to);
  }
}

std::uint32_t LoadShard::target_of(const LoadClient& client) {
  if (in_groups(options_)) return client.role().conversation;
  if (options_.target == LoadOptions::Target::random)
    return static_cast<std::uint32_t>(random_() % options_.clients);
  return static_cast<std::uint32_t>((client.role().index + 1) % options_.clients);
}

}  // namespace sluice::api
