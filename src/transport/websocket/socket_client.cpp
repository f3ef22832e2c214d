#include "transport/websocket/socket_client.hpp"

#include <array>
#include <utility>

#include <openssl/rand.h>

#include "core/ensure.hpp"
#include "transport/websocket/client_upgrade.hpp"
#include "transport/websocket/connection.hpp"
#include "transport/websocket/dial.hpp"
#include "transport/websocket/masks.hpp"

namespace sluice::websocket {

namespace {

using Refusal = std::optional<transport::HttpRefusal>;
using StreamState = NativeStream::State;

std::string fresh_key() {
  std::array<std::byte, 16> bytes{};
  ENSURE(RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size())) == 1);
  return make_key(bytes);
}

asio::awaitable<bool> send(NativeStream& stream, ByteView bytes) {
  for (;;) {
    const auto io = stream.write(bytes);
    bytes = bytes.subspan(io.bytes);
    if (io.state == StreamState::ready && bytes.empty()) co_return true;
    if (io.state != StreamState::ready && !co_await ready(stream.socket(), io.state)) co_return false;
  }
}

asio::awaitable<Result<UpgradeAnswer>> ask(NativeStream& stream, const UpgradeRequest& request,
                                           UpgradeReply& reply) {
  const std::string text = encode(request);
  const bool asked = co_await send(stream, as_bytes(text));
  std::array<std::byte, 2048> piece{};
  while (asked) {
    const auto io = stream.read(piece);
    if (io.bytes > 0) {
      auto whole = reply.take(ByteView{piece}.first(io.bytes));
      if (!whole) co_return fail(whole.error());
      if (*whole) co_return reply.check();
    }
    if (io.state != StreamState::ready && !co_await ready(stream.socket(), io.state)) break;
  }
  co_return fail(Errc::refused, "It accepted the connection and ended it at once.");
}

struct Made {
  std::shared_ptr<Connection> connection;
  std::string subprotocol;
};

/// What all sockets of a client share.
struct Means {
  std::shared_ptr<ReadBuffer> scratch = std::make_shared<ReadBuffer>();
  std::shared_ptr<Masks> masks = std::make_shared<Masks>();
  std::shared_ptr<Trust> trust = std::make_shared<Trust>();
};

asio::awaitable<Result<Made>> attempt(Url url, DialOptions how, SocketConnectOptions options, Means means,
                                      Refusal& refusal) {
  const std::string where = authority(url);
  UpgradeRequest request{
      .host = where, .target = url.path + options.path, .offered = options.subprotocols, .key = fresh_key()};
  if (request.target.empty()) request.target = "/";
  auto dialled = co_await dial(std::move(url), std::move(how), std::move(means.trust));
  if (!dialled) co_return fail(dialled.error());
  UpgradeReply reply{request};
  auto answer = co_await ask(*dialled, request, reply);
  if (!answer) {
    const Errc code = answer.error().code;
    co_return fail(std::move(answer.error()).as_cause_of(code, "There is no WebSocket at " + where));
  }
  if (answer->refusal) {
    refusal = answer->refusal;
    co_return fail(Errc::refused, where + " answered " + answer->text + " instead of opening a WebSocket." +
                                      hint_for(refusal->status));
  }
  error_code ignored;
  const auto remote = dialled->socket().remote_endpoint(ignored);
  FrameReaderOptions reader{.role = FrameReaderOptions::Role::client, .max_message = options.max_message};
  Made made;
  if (answer->subprotocol) {
    reader.accepts = answer->subprotocol->messages;
    made.subprotocol = answer->subprotocol->name;
  }
  Connection::Setup setup{.reader = reader,
                          .ping = options.ping,
                          .close_timeout = options.close_timeout,
                          .linger = options.linger,
                          .remote_address = remote.address().to_string(),
                          .masks = means.masks,
                          .held = std::move(reply.unread())};
  made.connection =
      std::make_shared<Connection>(std::move(*dialled), std::move(means.scratch), std::move(setup));
  co_return made;
}

asio::awaitable<transport::SocketAttempt> run(std::string url, SocketConnectOptions options, Means means) {
  transport::SocketAttempt outcome{.made = fail(Errc::timed_out, url + " does not answer in time.")};
  auto parsed = parse_url(url);
  if (!parsed) {
    outcome.made = fail(parsed.error());
    co_return outcome;
  }
  auto pin = check_pin(*parsed, options.pin);
  if (!pin) {
    outcome.made = fail(pin.error());
    co_return outcome;
  }
  const Duration limit = options.timeout;
  Error late = outcome.made.error();
  DialOptions how{.pin = std::move(*pin),
                  .plain = options.plain,
                  .timeout = limit,
                  .receive_buffer = options.receive_buffer};
  const auto masks = means.masks;
  auto trying =
      attempt(std::move(*parsed), std::move(how), std::move(options), std::move(means), outcome.refusal);
  auto made = co_await within(limit, std::move(trying), std::move(late));
  if (!made) {
    outcome.made = fail(made.error());
    co_return outcome;
  }
  transport::ConnectedSocket connected{
      .socket = make_socket(std::move(made->connection)),
      .subprotocol = std::move(made->subprotocol),
      .append_frame = [masks](ByteBuffer& out, MessageKind kind, ByteView message) {
        const Opcode opcode = kind == MessageKind::text ? Opcode::text : Opcode::binary;
        append_client_frame(out, {.opcode = opcode, .payload = message, .mask = masks->next()});
      }};
  outcome.made = std::move(connected);
  co_return outcome;
}

}  // namespace

struct SocketClient::Shared : Means {};

SocketClient::SocketClient() : shared_(std::make_shared<Shared>()) {}
SocketClient::~SocketClient() = default;

asio::awaitable<transport::SocketAttempt> SocketClient::connect(std::string url,
                                                                SocketConnectOptions options) {
  return run(std::move(url), std::move(options), *shared_);
}

}  // namespace sluice::websocket
