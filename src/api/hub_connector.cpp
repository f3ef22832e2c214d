#include "api/hub_connector.hpp"

#include <utility>

#include <boost/asio/awaitable.hpp>

#include "core/limits.hpp"
#include "transport/websocket/client.hpp"

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

}  // namespace

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
