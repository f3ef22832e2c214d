#include "api/messaging_connector.hpp"

#include <chrono>
#include <memory>
#include <utility>

#include "crypto/resume_proof.hpp"
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
  websocket::SocketConnectOptions options{.path = messaging_path(visit.session_token)};
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

std::string messaging_path(std::string_view session_token) {
  std::string path = "/v1/hub";
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto proof =
      crypto::prove_resume(session_token, std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
  return proof ? path + "?resume=" + *proof : path;
}

messaging::Connector messaging_connector(HubAddress hub, wire::hub::Encoding encoding) {
  return [client = std::make_shared<websocket::SocketClient>(), hub = std::move(hub),
          encoding](messaging::Visit visit) { return connect(client, hub, encoding, std::move(visit)); };
}

}  // namespace sluice::api
