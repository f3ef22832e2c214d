// Loads a TCP port and serves such loads: source, sink, echo. `tcp_load serve` says its port; the other
// commands are clients of it. SIGINT ends any of them.
#include <charconv>
#include <csignal>
#include <cstdio>
#include <exception>
#include <optional>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "bench/tcp_load/client.hpp"
#include "bench/tcp_load/server.hpp"

namespace {

namespace asio = boost::asio;
using namespace sluice::tcp_load;

constexpr std::string_view kUsage =
    "Usage: tcp_load serve\n"
    "       tcp_load fetch|push PORT BYTES [STREAMS]\n"
    "       tcp_load ping PORT COUNT\n"
    "       tcp_load connect PORT COUNT IN_FLIGHT\n"
    "       tcp_load hold PORT COUNT\n";

std::optional<std::vector<std::uint64_t>> numbers(int argc, char** argv) {
  std::vector<std::uint64_t> values;
  for (int n = 2; n < argc; ++n) {
    const std::string_view text{argv[n]};
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    values.push_back(value);
  }
  return values;
}

/// The client that the words name, or nothing when they name none.
std::optional<asio::awaitable<void>> client(std::string_view name, const std::vector<std::uint64_t>& values) {
  if (values.size() < 2 || values.size() > 3) return std::nullopt;
  const auto port = static_cast<std::uint16_t>(values[0]);
  const std::uint64_t third = values.size() == 3 ? values[2] : 1;
  if (name == "fetch") return fetch({.port = port, .bytes = values[1], .streams = third});
  if (name == "push") return push({.port = port, .bytes = values[1], .streams = third});
  if (name == "ping") return ping({.port = port, .count = values[1]});
  if (name == "connect") return connect({.port = port, .count = values[1], .in_flight = third});
  if (name == "hold") return hold({.port = port, .count = values[1]});
  return std::nullopt;
}

asio::awaitable<void> run_then_stop(asio::awaitable<void> work, asio::io_context& context) {
  co_await std::move(work);
  context.stop();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view name = argc > 1 ? argv[1] : "";
  const auto values = numbers(argc, argv);
  asio::io_context context{1};
  asio::signal_set signals{context, SIGINT, SIGTERM};
  signals.async_wait([&context](const boost::system::error_code& error, int) {
    if (!error) context.stop();
  });
  try {
    std::optional<Server> server;
    std::optional<asio::awaitable<void>> work;
    if (name == "serve") {
      server.emplace(context.get_executor());
      fmt::print("{{\"event\":\"listening\",\"port\":{}}}\n", server->port());
      std::fflush(stdout);
      work = server->run();
    } else if (values) {
      work = client(name, *values);
    }
    if (!work) {
      fmt::print(stderr, "{}", kUsage);
      return 2;
    }
    sluice::runtime::TaskScope main_scope{context.get_executor()};
    main_scope.spawn(run_then_stop(std::move(*work), context));
    context.run();
    std::fflush(stdout);
    std::_Exit(0);  // what still runs was interrupted; the system takes it
  } catch (const std::exception& error) {
    fmt::print(stderr, "tcp_load: {}\n", error.what());
    std::_Exit(1);
  }
}
