#include "transport/webrtc/simulated_peers.hpp"

#include <sys/time.h>
#include <time.h>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sluice::webrtc::simulated {
namespace {

using namespace std::chrono_literals;

/// Microseconds since the epoch while a simulated clock lives, else nothing. Never goes back, whichever tests
/// run.
std::optional<std::int64_t> simulated_us;
std::int64_t latest_us = 1'700'000'000'000'000;

}  // namespace

ClockInstead::ClockInstead() : now_(TimePoint{} + 1h) {
  simulated_us = latest_us;
}

ClockInstead::~ClockInstead() {
  latest_us = *simulated_us;
  simulated_us.reset();
}

void ClockInstead::advance(Duration by) {
  now_ += by;
  *simulated_us += std::chrono::duration_cast<std::chrono::microseconds>(by).count();
}

void Pipe::send(ByteView datagram, TimePoint now) {
  ++sent_;
  largest_ = std::max(largest_, size_of(datagram));
  const int copies = happens(rules_.loss) ? 0 : happens(rules_.duplication) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    std::uniform_int_distribution<Duration::rep> jitter{0, rules_.jitter.count()};
    in_flight_.push({.due = now + rules_.delay + Duration{jitter(random_)},
                     .number = sent_,
                     .bytes = to_buffer(datagram)});
  }
}

std::optional<ByteBuffer> Pipe::receive(TimePoint now) {
  if (in_flight_.empty() || in_flight_.top().due > now) return std::nullopt;
  ByteBuffer bytes = in_flight_.top().bytes;
  in_flight_.pop();
  return bytes;
}

bool Pipe::happens(double probability) {
  return std::uniform_real_distribution<>{}(random_) < probability;
}

void LinkLog::on_message(ByteView message) {
  messages.emplace_back(as_text(message));
  if (also) also(message);
}

Peer::Peer(Pipe& out, const ClockInstead& clock, const SctpOptions& options)
    : transport(certificate, *this, options), out_(out), clock_(clock) {}
Peer::~Peer() = default;

void Peer::deliver(Pipe& in) {
  bool any = false;
  while (const std::optional<ByteBuffer> datagram = in.receive(clock_.now())) {
    transport.receive(*datagram);
    any = true;
  }
  if (any) transport.process(clock_.now());
}

void Peer::run_work() {
  if (std::exchange(work_, false)) transport.process(clock_.now());
}

void Peer::run_timers() {
  transport.handle_timers(clock_.now());
  transport.process(clock_.now());
}

transport::Link& Peer::listen() {
  channel->listen(log);
  return *channel;
}

void Peer::on_channel(std::unique_ptr<DataChannel> opened) {
  if (channel == nullptr) {
    channel = std::move(opened);
  } else {
    more_channels.push_back(std::move(opened));
  }
}

World::World(const Setup& setup)
    : to_server(setup.seed * 2, setup.network),
      to_client(setup.seed * 2 + 1, setup.network),
      client(to_server, clock, setup.options),
      server(to_client, clock, setup.options),
      setup_(setup) {}

void World::start() {
  ASSERT_TRUE(client.transport.create_channel(setup_.channel).has_value());
  const auto start = [&](Peer& peer, const Peer& other, DtlsRole role) {
    peer.transport.start({.role = role,
                          .remote_fingerprint = other.certificate.fingerprint(),
                          .remote_max_message_size = setup_.max_message_size},
                         clock.now());
  };
  start(server, client, DtlsRole::server);
  start(client, server, DtlsRole::client);
}

bool World::connect() {
  start();
  return run_until([&] { return client.channel != nullptr && server.channel != nullptr; });
}

void World::step() {
  clock.advance(1ms);
  client.deliver(to_client);
  server.deliver(to_server);
  if (++steps_ % 10 == 0) {
    client.run_timers();
    server.run_timers();
  }
  client.run_work();
  server.run_work();
}

void World::run_for(Duration time) {
  for (const TimePoint end = clock.now() + time; clock.now() < end;) step();
}

bool World::run_until(const std::function<bool()>& done, Duration limit) {
  for (const TimePoint end = clock.now() + limit; !done(); step()) {
    if (clock.now() >= end) return false;
  }
  return true;
}

void World::set_network(const NetworkRules& rules) {
  to_server.set_rules(rules);
  to_client.set_rules(rules);
}

std::string numbered_message(int number, std::size_t size) {
  std::string text = fmt::format("{}:{}:", number, size);
  while (text.size() < size)
    text += static_cast<char>('a' + (text.size() * 7 + static_cast<std::size_t>(number)) % 26);
  text.resize(size);
  return text;
}

TEST(SimulatedClock, StandsBehindGettimeofday) {
  ClockInstead clock;
  timeval before{};
  timeval after{};
  gettimeofday(&before, nullptr);
  clock.advance(1500ms);
  gettimeofday(&after, nullptr);
  EXPECT_EQ((after.tv_sec - before.tv_sec) * 1'000'000 + (after.tv_usec - before.tv_usec), 1'500'000);
}

}  // namespace sluice::webrtc::simulated

/// Takes the C library's place for the whole test program, shared libraries included.
extern "C" int gettimeofday(timeval* now, void* /*zone*/) noexcept {
  if (const auto& simulated = sluice::webrtc::simulated::simulated_us; simulated.has_value()) {
    now->tv_sec = *simulated / 1'000'000;
    now->tv_usec = *simulated % 1'000'000;
    return 0;
  }
  timespec real{};
  clock_gettime(CLOCK_REALTIME, &real);
  now->tv_sec = real.tv_sec;
  now->tv_usec = real.tv_nsec / 1000;
  return 0;
}
