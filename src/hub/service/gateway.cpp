#include "hub/service/gateway.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "crypto/random.hpp"
#include "hub/service/common.hpp"
#include "hub/service/live_retention.hpp"
#include "hub/service/shard_loop.hpp"
#include "hub/store/folder.hpp"
#include "hub/store/store.hpp"
#include "observe/log.hpp"
#include "transport/address_block.hpp"

namespace sluice::hub::service {

namespace asio = boost::asio;

namespace {

constexpr auto kDrainPoll = std::chrono::milliseconds{20};

bool is_in_memory(const std::string& folder) {
  return folder.empty() || folder == store::kInMemory;
}

TurnstileLimits turnstile_limits(const config::Admission& admission) {
  return {.enabled = admission.enabled,
          .rate = {.burst = admission.connection_burst, .tokens = admission.connections_per_second},
          .retry_after_min = admission.retry_after_min,
          .retry_after_max = admission.retry_after_max};
}

Greetings::Limits greeting_limits(const config::Settings& settings) {
  const Duration longest = settings.gateway.hello_timeout;
  return {.slots = settings.admission.unauthenticated,
          .hello = {.longest = longest, .shortest = std::min(longest, settings.admission.shortest_timeout)}};
}

Result<std::shared_ptr<const auth::Verifier>> make_verifier(const config::Auth& auth) {
  if (auth.open) return std::shared_ptr<const auth::Verifier>{};
  auto verifier = auth::Verifier::create(auth.verifier);
  if (!verifier) return fail(std::move(verifier.error()));
  return std::make_shared<const auth::Verifier>(std::move(*verifier));
}

ClientView view_of(const Connection& connection, TimePoint now) {
  ClientView view{.ref = connection.ref,
                  .user = connection.identity.user,
                  .session = connection.session,
                  .agent = connection.hello.agent,
                  .device = connection.hello.device,
                  .remote = std::string{connection.socket->remote_address()},
                  .encoding = connection.encoding,
                  .welcomed = connection.state == Connection::State::open,
                  .acknowledges = connection.hello.acknowledges,
                  .age = now - connection.opened,
                  .socket = connection.socket->stats()};
  for (const auto& [conversation, interest] : connection.interests) {
    if (conversation.kind == wire::hub::Conversation::Kind::group) ++view.groups;
  }
  if (connection.receiver) view.pressure = connection.receiver->sample(now);
  view.pressure.at = store::system_time();
  return view;
}

Bytes waiting_for(const Connection& connection) {
  return connection.receiver ? connection.receiver->waiting() : Bytes{};
}

/// Adds the views of those of one shard for whom most waits.
void add_heaviest(const Shard& shard, const std::optional<std::string>& user, std::size_t most,
                  std::vector<ClientView>& views) {
  std::vector<const Connection*> found;
  shard.each_connection([&](const Connection& connection) {
    if (!user || connection.identity.user == *user) found.push_back(&connection);
  });
  const auto end = found.begin() + static_cast<std::ptrdiff_t>(std::min(most, found.size()));
  const auto waits = [](const Connection* connection) { return waiting_for(*connection); };
  std::ranges::partial_sort(found, end, std::ranges::greater{}, waits);
  const TimePoint now = Clock::now();
  std::for_each(found.begin(), end,
                [&](const Connection* connection) { views.push_back(view_of(*connection, now)); });
}

void add_status(GatewayStatus& status, const ShardLoop& loop) {
  const Shard& shard = loop.shard();
  status.users += shard.users_online();
  status.clients += shard.connections();
  status.conversations += shard.conversations();
  status.books += shard.books();
  status.pending += shard.pending_copies();
  status.counts += shard.counts();
  status.totals += loop.totals();
  shard.each_connection([&status](const Connection& connection) {
    if (connection.state == Connection::State::open) ++status.welcomed;
    if (connection.receiver && connection.receiver->is_slow()) ++status.slow;
    add(status.totals, connection);
  });
}

void look_up(const std::string& session, const Shard& shard, std::optional<SessionView>& view) {
  const auto known = [&view](const std::string& user) -> SessionView& {
    if (!view) view = SessionView{.user = user};
    return *view;
  };
  if (const Users::Past* const past = shard.past(session, Clock::now()))
    known(past->user).ended = past->ended;
  shard.each_connection([&](const Connection& connection) {
    if (connection.session == session) known(connection.identity.user).connection = connection.ref;
  });
}

/// Runs something on a shard's loop and brings its result back to the caller.
template <typename Ask>
asio::awaitable<std::invoke_result_t<Ask, ShardLoop&>> ask(ShardLoop& loop, Ask question) {
  using Answer = std::invoke_result_t<Ask, ShardLoop&>;
  co_return co_await asio::co_spawn(
      loop.executor(),
      [](ShardLoop& there, Ask what) -> asio::awaitable<Answer> { co_return what(there); }(
                                         loop, std::move(question)),
      asio::use_awaitable);
}

}  // namespace

class Gateway::Impl {
 public:
  Impl(const asio::any_io_executor& executor, GatewayOptions options)
      : options_(std::move(options)),
        executor_(executor),
        turnstile_(
            turnstile_limits(options_.settings.admission),
            [](std::uint64_t below) { return crypto::random_below(static_cast<std::uint32_t>(below)); },
            Clock::now()),
        retention_(options_.settings) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { end_loops(); }

  Status open();

  std::vector<Place> places() {
    std::vector<Place> places;
    places.reserve(loops_.size());
    for (const auto& loop : loops_) {
      places.push_back(
          {.executor = loop->executor(),
           .handler = [&to = *loop](transport::AcceptedSocket accepted) { to.accept(std::move(accepted)); }});
    }
    return places;
  }

  std::optional<std::chrono::seconds> busy(const transport::HttpRequest& request) {
    const bool resumes = common_->tokens.query_proves(request.query, store::system_time());
    return turnstile_.ask({.standing = resumes ? Turnstile::Standing::resumes : Turnstile::Standing::newcomer,
                           .block = transport::address_blocks(request.remote_address).wide},
                          Clock::now());
  }

  Status reload(config::Settings settings);
  Status reload_keys();
  asio::awaitable<GatewayStatus> status();
  asio::awaitable<std::vector<ClientView>> clients(std::optional<std::string> user, std::size_t most);
  asio::awaitable<std::optional<ClientView>> client(ConnectionRef ref);
  asio::awaitable<std::optional<SessionView>> session(std::string name);
  asio::awaitable<std::size_t> kick_user(std::string user, std::string message);
  asio::awaitable<bool> kick(ConnectionRef ref, std::string message);
  asio::awaitable<void> drain();
  Status end();

  [[nodiscard]] const config::Settings& settings() const { return options_.settings; }
  [[nodiscard]] std::shared_ptr<flow::Account> parts() const { return common_->ledger.parts; }
  [[nodiscard]] bool store_fails() const { return store_->health().failing.has_value(); }

 private:
  Status open_store();
  [[nodiscard]] Result<crypto::ShortHashKey> id_key();
  [[nodiscard]] Result<std::vector<std::vector<RememberedMessage>>> remembered() const;
  void end_loops();
  [[nodiscard]] Status check_books() const;

  GatewayOptions options_;
  asio::any_io_executor executor_;
  Turnstile turnstile_;
  LiveRetention retention_;
  std::mutex telling_;
  bool ended_ = false;  ///< The store has nobody to tell outcomes to. Guarded by `telling_`.
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Common> common_;
  std::vector<std::unique_ptr<ShardLoop>> loops_;  ///< Their readers end before the store does.
};

Status Gateway::Impl::open_store() {
  const config::Store& wanted = options_.settings.store;
  store::StoreOptions options{
      .folder = is_in_memory(wanted.folder) ? std::string{store::kInMemory} : wanted.folder,
      .on_stored =
          [this](std::uint32_t shard, std::vector<store::Completion> done) {
            const std::scoped_lock lock{telling_};
            if (!ended_) common_->loops[shard]->stored(std::move(done));
          },
      .retention = [this](const wire::hub::Conversation& of) { return retention_.of(of); },
      .bound = wanted.bound,
      .gather = is_in_memory(wanted.folder) ? Duration{limits::kMemoryGather} : Duration::zero()};
  auto opened = store::Store::open(std::move(options));
  if (!opened) return fail(std::move(opened.error()));
  store_ = std::move(*opened);
  return {};
}

Status Gateway::Impl::open() {
  auto verifier = make_verifier(options_.settings.auth);
  if (!verifier) return fail(std::move(verifier.error()));
  if (auto opened = open_store(); !opened) return opened;
  auto secret = store_->secret("session tokens");
  if (!secret) return fail(std::move(secret.error()));
  const GatewaySettings& settings = options_.settings.gateway;
  common_ = std::make_unique<Common>(settings, SessionTokens{std::move(*secret)}, std::move(*verifier),
                                     store_->epoch(), greeting_limits(options_.settings));
  const auto key = id_key();
  if (!key) return fail(key.error());
  const auto ids = remembered();
  if (!ids) return fail(ids.error());
  const bool durable = !is_in_memory(options_.settings.store.folder);
  for (std::size_t i = 0; i < options_.shards; ++i) {
    auto reader = store_->open_reader();
    if (!reader) return fail(std::move(reader.error()));
    const auto self = static_cast<ShardId>(i);
    loops_.push_back(std::make_unique<ShardLoop>(self, options_.shards, *common_,
                                                 StoredLog{self, *store_, std::move(*reader), durable}, *key,
                                                 settings));
    common_->loops.push_back(loops_.back().get());
  }
  for (std::size_t i = 0; i < loops_.size(); ++i) loops_[i]->start((*ids)[i]);
  return {};
}

/// It outlives the run, since the hashes that are made with it do.
Result<crypto::ShortHashKey> Gateway::Impl::id_key() {
  const auto secret = store_->secret("message ids");
  if (!secret) return fail(secret.error());
  crypto::ShortHashKey key{};
  std::ranges::copy(secret->expose().first<sizeof key>(), key.begin());
  return key;
}

/// What the runs before have stored last, by shard.
Result<std::vector<std::vector<RememberedMessage>>> Gateway::Impl::remembered() const {
  const auto all = store_->remembered();
  if (!all) return fail(all.error());
  std::vector<std::vector<RememberedMessage>> shards(options_.shards);
  for (const store::RememberedId& one : *all) {
    const store::IdPrint& print = one.id.print;
    shards[Shard::home_of(print.conversation, options_.shards)].push_back(
        {.print = {.message = print.message, .sender = print.sender},
         .position = one.id.position,
         .age = one.age});
  }
  return shards;
}

void Gateway::Impl::end_loops() {
  for (const auto& loop : loops_) loop->stop();
  const std::scoped_lock lock{telling_};
  ended_ = true;
}

Status Gateway::Impl::reload(config::Settings settings) {
  auto verifier = make_verifier(settings.auth);
  if (!verifier) return fail(std::move(verifier.error()));
  common_->doorman.set_verifier(std::move(*verifier));
  common_->ledger.set_limits(settings.gateway);
  common_->shares.set_settings(settings.gateway);
  turnstile_.set_limits(turnstile_limits(settings.admission), Clock::now());
  common_->greetings.set_limits(greeting_limits(settings));
  retention_.set(settings);
  store_->set_bound(settings.store.bound);
  for (const auto& loop : loops_) {
    asio::post(loop->executor(),
               [&to = *loop, fresh = settings.gateway]() mutable { to.set_settings(std::move(fresh)); });
  }
  options_.settings = std::move(settings);
  return {};
}

Status Gateway::Impl::reload_keys() {
  auto verifier = make_verifier(options_.settings.auth);
  if (!verifier) return fail(std::move(verifier.error()));
  common_->doorman.set_verifier(std::move(*verifier));
  return {};
}

asio::awaitable<GatewayStatus> Gateway::Impl::status() {
  GatewayStatus status{.sockets = common_->sockets,
                       .greetings = common_->greetings.all(),
                       .gave_way = common_->greetings.gave_way(),
                       .turnstile = turnstile_.counts(),
                       .memory = common_->ledger.process->stats(),
                       .backlog = common_->ledger.backlog->stats(),
                       .store = store_->books(),
                       .store_health = store_->health(),
                       .epoch = common_->epoch};
  for (const auto& loop : loops_) {
    co_await ask(*loop, [&status](ShardLoop& there) {
      add_status(status, there);
      return true;
    });
  }
  co_return status;
}

asio::awaitable<std::vector<ClientView>> Gateway::Impl::clients(std::optional<std::string> user,
                                                                std::size_t most) {
  std::vector<ClientView> found;
  for (const auto& loop : loops_) {
    co_await ask(*loop, [&](ShardLoop& there) {
      add_heaviest(there.shard(), user, most, found);
      return true;
    });
  }
  std::ranges::sort(found, std::ranges::greater{},
                    [](const ClientView& view) { return view.pressure.waiting; });
  if (found.size() > most) found.erase(found.begin() + static_cast<std::ptrdiff_t>(most), found.end());
  co_return found;
}

asio::awaitable<std::optional<ClientView>> Gateway::Impl::client(ConnectionRef ref) {
  if (ref.shard >= loops_.size()) co_return std::nullopt;
  co_return co_await ask(*loops_[ref.shard], [ref](ShardLoop& there) -> std::optional<ClientView> {
    const Connection* const connection = there.shard().find(ref);
    if (connection == nullptr) return std::nullopt;
    ClientView view = view_of(*connection, Clock::now());
    view.history = connection->history;
    return view;
  });
}

asio::awaitable<std::optional<SessionView>> Gateway::Impl::session(std::string name) {
  std::optional<SessionView> view;
  for (const auto& loop : loops_) {
    co_await ask(*loop, [&](ShardLoop& there) {
      look_up(name, there.shard(), view);
      return true;
    });
  }
  co_return view;
}

asio::awaitable<std::size_t> Gateway::Impl::kick_user(std::string user, std::string message) {
  const std::vector<ClientView> theirs = co_await clients(user, SIZE_MAX);
  for (const ClientView& client : theirs) {
    std::string words = message;
    co_await kick(client.ref, std::move(words));
  }
  co_return theirs.size();
}

asio::awaitable<bool> Gateway::Impl::kick(ConnectionRef ref, std::string message) {
  if (ref.shard >= loops_.size()) co_return false;
  // By reference: GCC 12 destroys a temporary closure in a co_await expression twice (GCC bug 99576).
  co_return co_await ask(*loops_[ref.shard],
                         [ref, &message](ShardLoop& there) { return there.kick(ref, message); });
}

asio::awaitable<void> Gateway::Impl::drain() {
  for (const auto& loop : loops_) asio::post(loop->executor(), [&to = *loop] { to.begin_drain(); });
  asio::steady_timer timer{executor_};
  const TimePoint deadline = Clock::now() + limits::kHubDrainTimeout;
  while (common_->sockets > 0 && Clock::now() < deadline) {
    timer.expires_after(kDrainPoll);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

Status Gateway::Impl::end() {
  end_loops();
  const Status balanced = check_books();
  loops_.clear();
  return balanced;
}

/// With the loops at rest.
Status Gateway::Impl::check_books() const {
  Books books;
  std::uint64_t pending = 0;
  for (const auto& loop : loops_) {
    books += loop->shard().books();
    pending += loop->shard().pending_copies();
  }
  if (!books.balance(pending)) {
    return fail(
        Errc::malformed,
        fmt::format(
            "the books do not balance: {} accepted, but {} delivered, {} gapped, {} expired, {} pending",
            books.accepted, books.delivered, books.gapped, books.expired, pending));
  }
  return store_->check_books();
}

Gateway::Gateway(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Gateway::~Gateway() = default;

Result<std::unique_ptr<Gateway>> Gateway::create(const asio::any_io_executor& executor,
                                                 GatewayOptions options) {
  auto impl = std::make_unique<Impl>(executor, std::move(options));
  if (auto opened = impl->open(); !opened) return fail(std::move(opened.error()));
  return std::unique_ptr<Gateway>{new Gateway{std::move(impl)}};
}

std::vector<Gateway::Place> Gateway::places() {
  return impl_->places();
}
std::optional<std::chrono::seconds> Gateway::busy(const transport::HttpRequest& request) {
  return impl_->busy(request);
}
Status Gateway::reload(config::Settings settings) {
  return impl_->reload(std::move(settings));
}
Status Gateway::reload_keys() {
  return impl_->reload_keys();
}
const config::Settings& Gateway::settings() const {
  return impl_->settings();
}
std::shared_ptr<flow::Account> Gateway::parts() const {
  return impl_->parts();
}
bool Gateway::store_fails() const {
  return impl_->store_fails();
}
asio::awaitable<GatewayStatus> Gateway::status() {
  return impl_->status();
}
asio::awaitable<std::vector<ClientView>> Gateway::clients(std::optional<std::string> user, std::size_t most) {
  return impl_->clients(std::move(user), most);
}
asio::awaitable<std::optional<ClientView>> Gateway::client(ConnectionRef ref) {
  return impl_->client(ref);
}
asio::awaitable<std::optional<SessionView>> Gateway::session(std::string name) {
  return impl_->session(std::move(name));
}
asio::awaitable<std::size_t> Gateway::kick_user(std::string user, std::string message) {
  return impl_->kick_user(std::move(user), std::move(message));
}
asio::awaitable<bool> Gateway::kick(ConnectionRef ref, std::string message) {
  return impl_->kick(ref, std::move(message));
}
asio::awaitable<void> Gateway::drain() {
  return impl_->drain();
}
Status Gateway::end() {
  return impl_->end();
}

}  // namespace sluice::hub::service
