// The clients of the messaging benches. `fanout`: everyone in one room, each in turn says something to all,
// so many times a second. `idle`: everyone connects and then only answers pings, until stdin ends. What the
// server spends meanwhile is read from its process.
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <poll.h>
#include <random>
#include <stdexcept>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "bench/ws_load/crowd.hpp"
#include "bench/ws_load/dialect.hpp"
#include "bench/ws_load/figures.hpp"

namespace sluice::ws_load {
namespace {

constexpr std::string_view kUsage =
    "Usage: ws_load fanout hub|plain PORT SERVER_PID CLIENTS PER_SECOND SIZE WARM_MS MEASURE_MS\n"
    "       ws_load idle hub|plain PORT SERVER_PID CLIENTS\n";

/// Connections that are being made at the same time.
constexpr std::size_t kAtOnce = 64;
/// How long what is still missing may take after the last one was said.
constexpr auto kSettle = std::chrono::seconds{5};
constexpr auto kStep = std::chrono::milliseconds{100};

struct Arguments {
  bool to_hub = false;
  std::vector<std::uint64_t> numbers{};
};

std::optional<Arguments> parse(int argc, char** argv) {
  if (argc < 3) return std::nullopt;
  const std::string_view dialect{argv[2]};
  if (dialect != "hub" && dialect != "plain") return std::nullopt;
  Arguments arguments{.to_hub = dialect == "hub"};
  for (int n = 3; n < argc; ++n) {
    const std::string_view text{argv[n]};
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    arguments.numbers.push_back(value);
  }
  return arguments;
}

std::uint64_t random_number() {
  std::random_device device;
  return std::uint64_t{device()} << 32U | device();
}

double seconds(Duration time) {
  return std::chrono::duration<double>(time).count();
}

void say(std::string_view event) {
  fmt::print("{}\n", event);
  std::fflush(stdout);
}

struct Fanout {
  std::uint64_t per_second;
  Duration warm;
  Duration measure;
};

/// What one stretch of a fan-out cost.
struct Stretch {
  std::uint64_t delivered = 0;
  double seconds = 0;
  double server_cpu = 0;
  double own_cpu = 0;
};

/// Says so many things a second from now on; returns when the time is over.
Stretch keep_talking(Crowd& crowd, std::uint64_t per_second, Duration time, pid_t server) {
  const CpuClock server_cpu{server};
  const CpuClock own_cpu{::getpid()};
  const std::uint64_t before = crowd.counts().delivered;
  const Duration interval = Duration{std::chrono::seconds{1}} / static_cast<std::int64_t>(per_second);
  const TimePoint begin = Clock::now();
  TimePoint next = begin;
  TimePoint now = begin;
  while (now - begin < time) {
    for (; next <= now; next += interval) crowd.publish();
    crowd.wait(next);
    now = Clock::now();
  }
  return {.delivered = crowd.counts().delivered - before,
          .seconds = seconds(now - begin),
          .server_cpu = server_cpu.seconds(),
          .own_cpu = own_cpu.seconds()};
}

void settle(Crowd& crowd, std::uint64_t expected) {
  const TimePoint deadline = Clock::now() + kSettle;
  while (crowd.counts().delivered + crowd.counts().dropped < expected && Clock::now() < deadline)
    crowd.wait(Clock::now() + kStep);
}

void fanout(Crowd& crowd, std::size_t clients, Fanout plan, pid_t server) {
  crowd.gather(kAtOnce);
  say(R"({"event":"ready"})");
  keep_talking(crowd, plan.per_second, plan.warm, server);
  Latencies latencies{
      static_cast<std::size_t>(seconds(plan.measure) * static_cast<double>(plan.per_second * clients) * 1.2)};
  crowd.on_delivery = [&latencies](Duration took) { latencies.record(took); };
  const Stretch stretch = keep_talking(crowd, plan.per_second, plan.measure, server);
  crowd.on_delivery = nullptr;
  const std::uint64_t expected = crowd.counts().published * clients;
  settle(crowd, expected);
  const Crowd::Counts& counts = crowd.counts();
  say(fmt::format(
      R"({{"event":"done","deliveries_per_s":{:.0f},"cpu_us_per_delivery":{:.4f},"server_cores":{:.3f},)"
      R"("load_cores":{:.3f},"p50_ms":{:.3f},"p99_ms":{:.3f},"max_ms":{:.3f},"missing":{},"told_dropped":{},)"
      R"("held_back":{},"refused":{},"last_refusal":"{}"}})",
      static_cast<double>(stretch.delivered) / stretch.seconds,
      stretch.server_cpu * 1e6 / static_cast<double>(std::max<std::uint64_t>(stretch.delivered, 1)),
      stretch.server_cpu / stretch.seconds, stretch.own_cpu / stretch.seconds, latencies.percentile_ms(0.5),
      latencies.percentile_ms(0.99), latencies.percentile_ms(1), expected - counts.delivered, counts.dropped,
      counts.held_back, counts.refused, counts.last_refusal));
}

void idle(Crowd& crowd, std::size_t clients, pid_t server) {
  const CpuClock server_cpu{server};
  const TimePoint begin = Clock::now();
  crowd.gather(kAtOnce);
  say(fmt::format(R"({{"event":"ready","handshake_cpu_us":{:.2f},"connects_per_s":{:.0f}}})",
                  server_cpu.seconds() * 1e6 / static_cast<double>(clients),
                  static_cast<double>(clients) / seconds(Clock::now() - begin)));
  for (pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0}; ::poll(&input, 1, 0) == 0;)
    crowd.wait(Clock::now() + kStep);
}

int run(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  const auto arguments = parse(argc, argv);
  const std::size_t wanted = mode == "fanout" ? 7 : 3;
  if (!arguments || arguments->numbers.size() != wanted || (mode != "fanout" && mode != "idle")) {
    fmt::print(stderr, "{}", kUsage);
    return 2;
  }
  const auto& numbers = arguments->numbers;
  const auto server = static_cast<pid_t>(numbers[1]);
  const auto clients = static_cast<std::size_t>(numbers[2]);
  Crowd::Options options{
      .port = static_cast<std::uint16_t>(numbers[0]), .clients = clients, .run = random_number()};
  if (mode == "fanout") options.size = static_cast<std::size_t>(numbers[4]);
  auto dialect =
      arguments->to_hub ? hub_dialect(mode == "fanout" ? Room::joined : Room::none) : plain_dialect();
  const auto crowd = std::make_unique<Crowd>(options, std::move(dialect));
  if (mode == "idle") {
    idle(*crowd, clients, server);
  } else {
    fanout(*crowd, clients,
           {.per_second = numbers[3],
            .warm = std::chrono::milliseconds{numbers[5]},
            .measure = std::chrono::milliseconds{numbers[6]}},
           server);
  }
  return 0;
}

}  // namespace
}  // namespace sluice::ws_load

int main(int argc, char** argv) {
  try {
    return sluice::ws_load::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "ws_load: {}\n", error.what());
    return 1;
  }
}
