#include "transport/dialing/connect.hpp"

#include <array>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>

#include <boost/asio.hpp>
#include <gtest/gtest.h>

#include "core/testing.hpp"
#include "runtime/task_scope.hpp"
#include "transport/dialing/resolver.hpp"

namespace sluice::dialing {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using namespace std::chrono_literals;
using Why = ConnectFailure::Why;

/// Names whose answers a test gives; those that it holds back are silent until it ends.
class Names {
 public:
  ~Names() { release(); }
  void give(const std::string& host, std::initializer_list<const char*> addresses) {
    for (const char* text : addresses) {
      const auto address = asio::ip::make_address(text);
      known_[{.host = host, .family = address.is_v6() ? Family::v6 : Family::v4}].push_back(address);
    }
  }
  void silence(const std::string& host) { silent_ = host; }
  void release() {
    const std::scoped_lock lock{mutex_};
    released_ = true;
    changed_.notify_all();
  }
  [[nodiscard]] int asked() const { return asked_; }
  [[nodiscard]] int lives_asked() const { return lives_asked_; }
  [[nodiscard]] NameSource source() {
    return {.look_up = [this](const Question& question) { return look_up(question); },
            .life_of =
                [this](const Question&) {
                  ++lives_asked_;
                  return life;
                }};
  }
  std::optional<Duration> life;

 private:
  Answer look_up(const Question& question) {
    ++asked_;
    if (question.host == silent_) {
      std::unique_lock lock{mutex_};
      changed_.wait(lock, [this] { return released_; });
    }
    const auto found = known_.find(question);
    if (found == known_.end()) return {.miss = Answer::Miss::not_found, .text = "no such name"};
    return {.addresses = found->second};
  }

  std::map<Question, std::vector<Address>> known_;
  std::string silent_;
  std::atomic<int> asked_ = 0;
  std::atomic<int> lives_asked_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool released_ = false;
};

/// A port at which connections begin and never come about: its queue is full.
class FullPort {
 public:
  explicit FullPort(asio::io_context& shard, const char* address, std::uint16_t port = 0)
      : acceptor_(shard), fill_{tcp::socket{shard}, tcp::socket{shard}} {
    const tcp::endpoint at{asio::ip::make_address(address), port};
    acceptor_.open(at.protocol());
    acceptor_.bind(at);
    acceptor_.listen(0);
    for (tcp::socket& socket : fill_) socket.async_connect(acceptor_.local_endpoint(), [](auto) {});
    shard.run_for(50ms);
  }
  [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

 private:
  tcp::acceptor acceptor_;
  std::array<tcp::socket, 2> fill_;
};

class ConnectTest : public ::testing::Test {
 protected:
  using Outcome = std::expected<tcp::socket, ConnectFailure>;
  struct Run {
    explicit Run(const asio::any_io_executor& executor) : connect(executor) {}
    Connect connect;
    std::optional<Outcome> outcome;
    TimePoint ended;
  };

  ConnectTest() { asio::make_service<Resolver>(shard_, names_.source()); }
  ~ConnectTest() override { names_.release(); }

  std::unique_ptr<Run> start(Destination to, ConnectOptions options = {.limit = 20s}) {
    auto run = std::make_unique<Run>(shard_.get_executor());
    scope_.spawn([](Run& self, Destination where, ConnectOptions how) -> asio::awaitable<void> {
      self.outcome.emplace(co_await self.connect.run(std::move(where), std::move(how)));
      self.ended = Clock::now();
    }(*run, std::move(to), std::move(options)));
    return run;
  }
  /// Until it has ended.
  Outcome& finish(Run& run) {
    shard_.restart();
    const TimePoint patience = Clock::now() + 30s;
    while (!run.outcome && Clock::now() < patience) shard_.run_one_for(1s);
    EXPECT_TRUE(run.outcome);
    return *run.outcome;
  }
  void run_for(Duration time) {
    shard_.restart();
    shard_.run_for(time);
  }
  template <typename Done>
  [[nodiscard]] bool run_until(Done done) {
    const TimePoint patience = Clock::now() + 30s;
    while (!done() && Clock::now() < patience) run_for(1ms);
    return done();
  }
  /// The first address of a name is dead, the second is not. Returns how long it took.
  Duration reach_second_of_two() {
    const FullPort dead{shard_, "127.0.0.2"};
    tcp::acceptor alive{shard_, {asio::ip::make_address("127.0.0.3"), dead.port()}};
    names_.give("db", {"127.0.0.2", "127.0.0.3"});
    const TimePoint begun = Clock::now();
    const auto run = start({.host = "db", .port = dead.port()});
    auto& outcome = finish(*run);
    EXPECT_TRUE(outcome.has_value());
    if (outcome) {
      EXPECT_EQ(outcome->remote_endpoint().address().to_string(), "127.0.0.3");
    }
    return run->ended - begun;
  }

  Names names_;
  asio::io_context shard_{1};
  runtime::TaskScope scope_{shard_.get_executor()};
  tcp::acceptor listener_{shard_, {asio::ip::make_address("127.0.0.1"), 0}};
  std::uint16_t port_ = listener_.local_endpoint().port();
};

TEST_F(ConnectTest, ReachesAName) {
  names_.give("db", {"127.0.0.1"});
  const auto run = start({.host = "db", .port = port_});
  EXPECT_TRUE(finish(*run).has_value());
}

TEST_F(ConnectTest, GoesOnWithTheNextAddressWhenOneIsDead) {
  const Duration took = reach_second_of_two();
  EXPECT_GE(took, 250ms);
  EXPECT_LT(took, 2s);
}

TEST_F(ConnectTest, GoesOnWithTheNextAddressThoughOthersHaveAllSpareAttempts) {
  Resolver& resolver = Resolver::of(shard_.get_executor());
  std::size_t taken = 0;
  while (resolver.take_spare_attempt()) ++taken;
  EXPECT_GE(reach_second_of_two(), limits::kAttemptPatience);
  EXPECT_FALSE(resolver.take_spare_attempt());  // it took the place of the first, and gave none away
  for (; taken > 0; --taken) resolver.give_spare_attempt();
}

TEST_F(ConnectTest, GivesAsManySpareAttemptsBackAsItTook) {
  const FullPort dead{shard_, "127.0.0.2"};
  names_.give("db", {"127.0.0.2", "127.0.0.2", "127.0.0.2", "127.0.0.2", "127.0.0.2", "127.0.0.2"});
  const auto run =
      start({.host = "db", .port = dead.port()}, {.limit = 2500ms});  // two have given way by then
  EXPECT_FALSE(finish(*run).has_value());
  Resolver& resolver = Resolver::of(shard_.get_executor());
  std::size_t taken = 0;
  while (resolver.take_spare_attempt()) ++taken;
  EXPECT_EQ(taken, limits::kSpareAttempts);
}

TEST_F(ConnectTest, TriesIpv4AtOnceWhereIpv6CannotBeReached) {
  // No route leads to a documentation address in a namespace or container without IPv6; where one does, it is
  // the race that decides. Either way nobody waits for it.
  names_.give("db", {"2001:db8::1", "127.0.0.1"});
  const TimePoint begun = Clock::now();
  const auto run = start({.host = "db", .port = port_});
  EXPECT_TRUE(finish(*run).has_value());
  EXPECT_LT(run->ended - begun, 2s);
}

TEST_F(ConnectTest, TellsAtOnceThatThereAreNoDescriptors) {
  if (!sluice::testing::NoDescriptors::kCanBeBorne) GTEST_SKIP();
  names_.give("db", {"127.0.0.1", "127.0.0.2"});
  const auto run = start({.host = "db", .port = port_});
  const TimePoint begun = Clock::now();
  const sluice::testing::NoDescriptors none;
  auto& outcome = finish(*run);
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().why, Why::no_descriptors);
  EXPECT_LT(run->ended - begun, 2s);
}

TEST_F(ConnectTest, PrefersToTellARefusal) {
  names_.give("db", {"2001:db8::1", "127.0.0.1"});
  listener_.close();
  const auto run = start({.host = "db", .port = port_}, {.limit = 1s});
  auto& outcome = finish(*run);
  ASSERT_FALSE(outcome.has_value());
  EXPECT_TRUE(outcome.error().why == Why::refused || outcome.error().why == Why::timed_out);
}

TEST_F(ConnectTest, TellsThatANameIsUnknown) {
  const auto run = start({.host = "nowhere", .port = port_});
  auto& outcome = finish(*run);
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().why, Why::not_found);
  EXPECT_EQ(outcome.error().text, "no such name");
}

TEST_F(ConnectTest, IsNotHeldUpByASilentNameServerForAnotherName) {
  names_.give("db", {"127.0.0.1"});
  names_.silence("lost");
  const auto silent = start({.host = "lost", .port = port_}, {.limit = 1h});
  ASSERT_TRUE(run_until([&] { return names_.asked() == 2; }));
  const auto run = start({.host = "db", .port = port_});
  EXPECT_TRUE(finish(*run).has_value());
  EXPECT_FALSE(silent->outcome);
  silent->connect.give_up();
  finish(*silent);

  const auto brief = start({.host = "lost", .port = port_}, {.limit = 20ms});
  auto& outcome = finish(*brief);
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().why, Why::timed_out);
  EXPECT_EQ(outcome.error().text, "no name server answered");
}

TEST_F(ConnectTest, JoinsTheLookUpThatRuns) {
  names_.give("db", {"127.0.0.1"});
  names_.silence("db");
  std::vector<std::unique_ptr<Run>> runs;
  for (int i = 0; i < 5; ++i) runs.push_back(start({.host = "db", .port = port_}));
  shard_.poll();  // all of them have asked now
  ASSERT_TRUE(run_until([&] { return names_.asked() >= 2; }));
  EXPECT_EQ(names_.asked(), 2);  // each family once
  names_.release();
  for (const auto& run : runs) EXPECT_TRUE(finish(*run).has_value());
  EXPECT_EQ(names_.asked(), 2);
}

TEST_F(ConnectTest, KeepsAnswersForTheirTimeToLive) {
  names_.give("db", {"127.0.0.1", "::1"});
  names_.life = 1h;
  EXPECT_TRUE(finish(*start({.host = "db", .port = port_})).has_value());
  ASSERT_TRUE(run_until([&] { return names_.lives_asked() == 2; }));  // they come later
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(finish(*start({.host = "db", .port = port_})).has_value());
  EXPECT_EQ(names_.asked(), 2);

  names_.give("brief", {"127.0.0.1", "::1"});
  names_.life = 0s;
  // Each family is asked again once its time to live is known: sooner than after `kUnknownNameLife`.
  const TimePoint begun = Clock::now();
  EXPECT_TRUE(run_until([&] {
    EXPECT_TRUE(finish(*start({.host = "brief", .port = port_})).has_value());
    return names_.asked() >= 6;
  }));
  EXPECT_LT(Clock::now() - begun, limits::kUnknownNameLife);
}

TEST_F(ConnectTest, EndsWhereAnAddressIsNotAllowed) {
  names_.give("db", {"127.0.0.1"});
  const auto run = start({.host = "db", .port = port_},
                         {.limit = 20s, .allow = [](const Address& address) -> Status {
                            return fail(Errc::permission_denied, "not " + address.to_string());
                          }});
  auto& outcome = finish(*run);
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().why, Why::not_allowed);
  ASSERT_TRUE(outcome.error().error);
  EXPECT_EQ(outcome.error().error->message, "not 127.0.0.1");
}

TEST_F(ConnectTest, LeavesNothingBehindWhenItIsCancelledAtAnyTime) {
  const FullPort dead{shard_, "127.0.0.2"};
  names_.give("db", {"127.0.0.2", "127.0.0.2"});
  for (const Duration after : {Duration{0ms}, Duration{20ms}, Duration{300ms}}) {
    runtime::TaskScope scope{shard_.get_executor()};
    Connect connect{shard_.get_executor()};
    scope.spawn([](Connect& self, std::uint16_t port) -> asio::awaitable<void> {
      // Named: GCC 12 destroys the temporaries of a co_await expression twice (GCC bug 99576).
      const Destination db{.host = "db", .port = port};
      const ConnectOptions patient{.limit = 1h};
      (void)co_await self.run(db, patient);
    }(connect, dead.port()));
    run_for(after);
    scope.cancel();
    run_for(20ms);
    EXPECT_EQ(scope.size(), 0U);
  }
}

}  // namespace
}  // namespace sluice::dialing
