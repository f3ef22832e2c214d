#include "peer/tunnel/dial.hpp"

#include <utility>

#include <fmt/format.h>

namespace sluice::tunnel {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

namespace {

DialFailure failure_of(const Target& target, const dialing::ConnectFailure& failure) {
  using Why = dialing::ConnectFailure::Why;
  const auto as = [&](wire::CloseReason reason) {
    return DialFailure{.reason = reason,
                       .text = fmt::format("{}:{}: {}", target.host, target.port, failure.text)};
  };
  switch (failure.why) {
    case Why::refused:
      return as(wire::CloseReason::dial_failed);
    case Why::timed_out:
    case Why::given_up:
      return as(wire::CloseReason::dial_timed_out);
    case Why::no_descriptors:
      return as(wire::CloseReason::limit_reached);
    case Why::not_found:
    case Why::unreachable:
    case Why::not_allowed:
      break;
  }
  return as(wire::CloseReason::unreachable);
}

}  // namespace

asio::awaitable<std::expected<tcp::socket, DialFailure>> Dial::connect(const Target& target, Duration limit) {
  dialing::Destination to{.host = target.host, .port = target.port};
  dialing::ConnectOptions options{.limit = limit};
  auto connecting = connect_.run(std::move(to), std::move(options));
  auto connected = co_await std::move(connecting);
  if (!connected) co_return std::unexpected(failure_of(target, connected.error()));
  co_return std::move(*connected);
}

void Dial::give_up() {
  given_up_ = true;
  connect_.give_up();
  wake_up_.notify();
}

}  // namespace sluice::tunnel
