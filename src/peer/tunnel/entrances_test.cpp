#include "peer/tunnel/entrances.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <utility>
#include <vector>

#include <boost/asio.hpp>
#include <gtest/gtest.h>

#include "core/testing.hpp"

namespace sluice::tunnel {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;
using sluice::testing::TemporaryFolder;

/// Keeps the connections that it is given.
struct Keeper final : EntranceUser {
  void take(StreamSocket socket, const std::string& target) override {
    taken.push_back(std::move(socket));
    targets.push_back(target);
  }
  std::vector<StreamSocket> taken;
  std::vector<std::string> targets;
};

struct World {
  asio::io_context shard{1};
  runtime::TaskScope scope{shard.get_executor()};
  std::unique_ptr<Entrances> entrances;

  explicit World(const std::vector<LocalPort>& ports, Duration patience = 30s) {
    auto opened = Entrances::open(shard.get_executor(), ports, patience);
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
    if (!opened) return;
    entrances = std::move(*opened);
    scope.spawn(entrances->run());
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World() {
    scope.cancel();
    run(1s);
    EXPECT_EQ(scope.size(), 0U);
  }
  void run(Duration limit) {
    shard.restart();
    shard.run_for(limit);
  }
  template <typename Done>
  bool run_until(Done done) {
    const TimePoint limit = Clock::now() + 20s;
    while (!done() && Clock::now() < limit) {
      shard.restart();
      shard.run_one_for(10ms);
    }
    return done();
  }
  [[nodiscard]] std::uint16_t port() const { return entrances->ports().at(0).port; }
  tcp::socket connect(const std::string& address) {
    tcp::socket socket{shard};
    socket.connect({asio::ip::make_address(address), port()});
    return socket;
  }
};

bool has_ipv6() {
  asio::io_context io;
  boost::system::error_code error;
  tcp::acceptor probe{io};
  probe.open(tcp::v6(), error);
  if (!error) probe.bind({asio::ip::address_v6::loopback(), 0}, error);
  return !error;
}

Errc error_of(const std::vector<LocalPort>& ports) {
  asio::io_context io;
  const auto opened = Entrances::open(io.get_executor(), ports);
  EXPECT_FALSE(opened);
  return opened ? Errc::closed : opened.error().code;
}

TEST(Entrances, OfLocalhostAndOfEverythingAreThereInBothFamilies) {
  if (!has_ipv6()) GTEST_SKIP() << "this machine has no IPv6";
  for (const char* const name : {"localhost", "*"}) {
    World world{{{.bind = name, .port = 0}}};
    EXPECT_EQ(world.entrances->ports().at(0).addresses.size(), 2U);
    Keeper keeper;
    world.entrances->lead_to(keeper);
    const tcp::socket four = world.connect("127.0.0.1");
    const tcp::socket six = world.connect("::1");
    EXPECT_TRUE(world.run_until([&] { return keeper.taken.size() == 2; }));
  }
}

TEST(Entrances, SayWhatIsWrong) {
  World world{{{.bind = "127.0.0.1", .port = 0}}};
  const LocalPort same{.bind = "127.0.0.1", .port = world.port()};
  auto again = Entrances::open(world.shard.get_executor(), {same});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::address_in_use);
  EXPECT_NE(again.error().message.find(std::to_string(world.port())), std::string::npos);
  EXPECT_EQ(error_of({{.bind = "localhost", .port = world.port()}}), Errc::address_in_use);
  EXPECT_EQ(error_of({{.bind = "192.0.2.1", .port = 0}}), Errc::not_found);
  EXPECT_EQ(error_of({{.path = std::string(108, 'x')}}), Errc::invalid_argument);
  EXPECT_EQ(error_of({{.path = "/no/such/folder/socket"}}), Errc::not_found);
}

TEST(Entrances, KeepConnectionsForTheTunnelThatComes) {
  World world{{{.bind = "127.0.0.1", .port = 0, .target = "web"}}};
  const tcp::socket early = world.connect("127.0.0.1");
  world.run(20ms);
  Keeper first;
  world.entrances->lead_to(first);
  EXPECT_TRUE(world.run_until([&] { return first.taken.size() == 1; }));
  EXPECT_EQ(first.targets.at(0), "web");
  // The tunnel is lost; the port stays, and so does whoever connects.
  world.entrances->leave(first);
  const tcp::socket between = world.connect("127.0.0.1");
  world.run(20ms);
  EXPECT_EQ(first.taken.size(), 1U);
  Keeper second;
  world.entrances->lead_to(second);
  world.entrances->leave(first);  // late, and no longer its business
  EXPECT_TRUE(world.run_until([&] { return second.taken.size() == 1; }));
}

TEST(Entrances, ResetConnectionsOnceNoTunnelHasBeenThereForLong) {
  World world{{{.bind = "127.0.0.1", .port = 0}}, 50ms};
  ::testing::internal::CaptureStderr();
  tcp::socket waiting = world.connect("127.0.0.1");
  boost::system::error_code ended;
  bool done = false;
  char byte = 0;
  waiting.async_read_some(asio::buffer(&byte, 1), [&](const boost::system::error_code& error, std::size_t) {
    ended = error;
    done = true;
  });
  EXPECT_TRUE(world.run_until([&] { return done; }));
  EXPECT_EQ(ended, asio::error::connection_reset);
  // There may never have been one.
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("are reset until there is a tunnel"),
            std::string::npos);
  Keeper keeper;
  world.entrances->lead_to(keeper);
  const tcp::socket later = world.connect("127.0.0.1");
  EXPECT_TRUE(world.run_until([&] { return keeper.taken.size() == 1; }));
}

TEST(Entrances, RefuseEverybodyOnceTheyAreClosed) {
  World world{{{.bind = "127.0.0.1", .port = 0}}};
  world.entrances->close();
  tcp::socket socket{world.shard};
  boost::system::error_code error;
  socket.connect({asio::ip::address_v4::loopback(), world.port()}, error);
  EXPECT_EQ(error, asio::error::connection_refused);
  EXPECT_TRUE(world.run_until([&] { return world.scope.size() == 0; }));
}

class UnixEntrance : public ::testing::Test {
 protected:
  [[nodiscard]] bool exists() const {
    struct stat about{};
    return ::lstat(path.c_str(), &about) == 0;
  }
  TemporaryFolder folder;
  std::string path = (folder.path() / "in.sock").string();
};

TEST_F(UnixEntrance, IsForItsOwnerAloneAndGoesAtTheEnd) {
  {
    World world{{{.path = path, .target = "db"}}};
    struct stat about{};
    ASSERT_EQ(::lstat(path.c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 07777U, 0600U);
    EXPECT_EQ(world.entrances->ports().at(0).addresses.at(0), "unix:" + path);
    Keeper keeper;
    world.entrances->lead_to(keeper);
    asio::local::stream_protocol::socket socket{world.shard};
    socket.connect(path);
    EXPECT_TRUE(world.run_until([&] { return keeper.taken.size() == 1; }));
    EXPECT_EQ(keeper.targets.at(0), "db");
  }
  EXPECT_FALSE(exists());
}

TEST_F(UnixEntrance, TakesThePlaceOfASocketThatNobodyAnswers) {
  asio::io_context io;
  {
    asio::local::stream_protocol::acceptor killed{io, path};
  }
  EXPECT_TRUE(exists());  // as a process leaves it that is killed
  const World world{{{.path = path}}};
  EXPECT_TRUE(exists());
}

TEST_F(UnixEntrance, LeavesASocketThatAnswersAndWhatIsNone) {
  asio::io_context io;
  {
    const asio::local::stream_protocol::acceptor alive{io, path};
    EXPECT_EQ(error_of({{.path = path}}), Errc::address_in_use);
    EXPECT_TRUE(exists());
  }
  std::filesystem::remove(path);
  std::ofstream{path} << "a file";
  EXPECT_EQ(error_of({{.path = path}}), Errc::address_in_use);
  EXPECT_EQ(std::filesystem::file_size(path), 6U);
}

TEST_F(UnixEntrance, LeavesAtItsEndASocketThatIsSomebodyElses) {
  asio::io_context io;
  std::optional<asio::local::stream_protocol::acceptor> other;
  {
    const World world{{{.path = path}}};
    std::filesystem::remove(path);
    other.emplace(io, path);
  }
  EXPECT_TRUE(exists());
}

}  // namespace
}  // namespace sluice::tunnel
