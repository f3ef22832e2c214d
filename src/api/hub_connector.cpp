#include "api/hub_connector.hpp"

#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/system/error_code.hpp>

#include "core/limits.hpp"
#include "transport/websocket/certificate.hpp"
#include "transport/websocket/client.hpp"
#include "transport/websocket/url.hpp"

namespace sluice::api {
namespace {

namespace asio = boost::asio;

asio::awaitable<Result<std::unique_ptr<transport::Link>>> connect_to_mailboxes(HubAddress hub) {
  websocket::ConnectOptions options{.path = "/v1/mailbox"};
  options.link.kind = websocket::MessageKind::text;
  options.link.max_message_size = limits::kMaxMailboxMessage;
  if (!hub.fingerprint.empty()) options.pin = hub.fingerprint;
  auto link = co_await websocket::connect(hub.url, std::move(options));
  if (link) co_return link;
  const Errc code = link.error().code;
  co_return fail(std::move(link.error()).as_cause_of(code, "cannot reach the hub at " + hub.url));
}

/// Whether the URL leads to another machine by a number, so that no name's look-up can say otherwise.
bool is_elsewhere(const websocket::Url& url) {
  boost::system::error_code no_number;
  const auto address = asio::ip::make_address(url.host, no_number);
  return !no_number && !address.is_loopback();
}

}  // namespace

Result<HubAddress> parse_hub(std::string url, const std::optional<std::string>& pin) {
  const auto parsed = websocket::parse_url(url);
  if (!parsed) return fail(parsed.error());
  HubAddress hub{.url = std::move(url), .fingerprint = {}};
  const bool plain = parsed->scheme == websocket::Url::Scheme::ws;
  if (pin) {
    if (plain) {
      return fail(Errc::invalid_argument,
                  "A fingerprint is pinned, but " + hub.url + " has no certificate: use wss://.");
    }
    auto fingerprint = websocket::parse_fingerprint(*pin);
    if (!fingerprint) return fail(std::move(fingerprint.error()));
    hub.fingerprint = std::move(*fingerprint);
  }
  if (plain && is_elsewhere(*parsed)) {
    return fail(Errc::invalid_argument,
                hub.url + " is on another machine: ws:// is for hubs on this one, use wss://.");
  }
  return hub;
}

client::Connector hub_connector(HubAddress hub) {
  return [hub = std::move(hub)] { return connect_to_mailboxes(hub); };
}

Failure to_failure(rendezvous::Failure failure) {
  switch (failure.phase) {
    case rendezvous::Phase::hub:
      return {.stage = Stage::hub, .error = std::move(failure.error)};
    case rendezvous::Phase::key:
      return {.stage = Stage::rendezvous, .error = std::move(failure.error)};
    case rendezvous::Phase::path:
      return {.stage = Stage::path, .error = std::move(failure.error)};
  }
  return {.stage = Stage::path, .error = std::move(failure.error)};
}

}  // namespace sluice::api
