#include "api/messaging_connector.hpp"

#include <memory>
#include <utility>

#include "transport/websocket/socket_client.hpp"

namespace sluice::api {
namespace {

namespace asio = boost::asio;
using Accepts = websocket::FrameReaderOptions::Accepts;

constexpr unsigned kNotFound = 404;

asio::awaitable<transport::SocketAttempt> connect(std::shared_ptr<websocket::SocketClient> client,
                                                  HubAddress hub, wire::hub::Encoding encoding,
                                                  messaging::Visit visit) {
  const bool json = encoding == wire::hub::Encoding::json;
  websocket::Subprotocol spoken{
      .name = std::string{json ? wire::hub::kJsonSubprotocol : wire::hub::kProtoSubprotocol},
      .messages = json ? Accepts::text : Accepts::binary};
  websocket::SocketConnectOptions options{.path = visit == messaging::Visit::resume ? "/v1/hub?resume"
                                                                                    : "/v1/hub"};
  options.subprotocols.push_back(std::move(spoken));
  if (!hub.fingerprint.empty()) options.pin = hub.fingerprint;
  auto attempt = co_await client->connect(hub.url, std::move(options));
  if (attempt.made) co_return attempt;
  Error why = messaging_error(hub, attempt);
  attempt.made = fail(std::move(why));
  co_return attempt;
}

}  // namespace

Error messaging_error(const HubAddress& hub, const transport::SocketAttempt& attempt) {
  if (attempt.refusal && attempt.refusal->status == kNotFound)
    return {.code = Errc::unsupported, .message = "the hub at " + hub.url + " carries no messages"};
  Error why = attempt.made.error();
  const Errc code = why.code;
  return std::move(why).as_cause_of(code, "cannot reach the hub's messaging at " + hub.url);
}

messaging::Connector messaging_connector(HubAddress hub, wire::hub::Encoding encoding) {
  return [client = std::make_shared<websocket::SocketClient>(), hub = std::move(hub),
          encoding](messaging::Visit visit) { return connect(client, hub, encoding, visit); };
}

}  // namespace sluice::api
