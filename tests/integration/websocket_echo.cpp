// A server of WebSockets that sends back what it is sent, for clients that are not ours.
//
// websocket_echo [--tls FOLDER] [--ping MILLISECONDS]: says where it listens as one line of JSON on stdout,
// and ends with its standard input. Paths: /echo takes any client; /protocols speaks `text.test` and
// `binary.test`; /busy lets nobody in; /close/CODE closes with that code at the first message.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <initializer_list>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>

#include "core/ensure.hpp"
#include "transport/websocket/server.hpp"

namespace {

using namespace sluice;
using namespace sluice::literals;
using Accepts = websocket::FrameReaderOptions::Accepts;

/// One client. What the socket does not take waits, and nothing is read meanwhile: so it is one message.
class Echo final : public transport::MessageSocketListener {
 public:
  Echo(transport::AcceptedSocket accepted, std::uint16_t close_with, std::function<void()> over)
      : socket_(std::move(accepted.socket)), close_with_(close_with), over_(std::move(over)) {
    socket_->listen(*this);
  }
  void on_message(transport::MessageKind kind, ByteView message) override {
    if (close_with_ != 0) return socket_->close({.code = close_with_, .text = "as you wish"});
    const Frames frames = websocket::encode_frames(kind, std::span{&message, 1});
    const std::size_t taken = socket_->write(frames.bytes());
    if (taken == frames.bytes().size()) return;
    waiting_ = to_buffer(frames.bytes().subspan(taken));
    socket_->pause_reading();
  }
  void on_writable() override {
    const std::size_t taken = socket_->write(waiting_);
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(taken));
    if (!waiting_.empty()) return;
    waiting_ = ByteBuffer{};
    socket_->resume_reading();
  }
  void on_closed(const Error& reason) override {
    std::printf("{\"event\":\"closed\",\"reason\":\"%s\"}\n", std::string{name_of(reason.code)}.c_str());
    (void)std::fflush(stdout);
    over_();
  }

 private:
  std::unique_ptr<transport::MessageSocket> socket_;
  std::uint16_t close_with_;
  std::function<void()> over_;
  ByteBuffer waiting_;
};

class EchoServer {
 public:
  EchoServer(boost::asio::io_context& shard, websocket::ServerOptions options, Duration ping)
      : shard_(shard) {
    auto made = websocket::Server::create(shard.get_executor(), std::move(options));
    ENSURE(made.has_value());
    server_ = std::move(*made);
    const websocket::SocketOptions plain{.max_message = 16_MiB, .ping = ping};
    serve("/echo", plain, 0);
    for (const std::uint16_t code : std::initializer_list<std::uint16_t>{1000, 1001, 1011, 3000, 4999})
      serve("/close/" + std::to_string(code), plain, code);
    websocket::SocketOptions named = plain;
    named.subprotocols = {{.name = "binary.test", .messages = Accepts::binary},
                          {.name = "text.test", .messages = Accepts::text}};
    serve("/protocols", named, 0);
    websocket::SocketOptions busy = plain;
    busy.busy = [](const transport::HttpRequest&) { return std::optional{std::chrono::seconds{7}}; };
    serve("/busy", busy, 0);
    server_->on_get("/page",
                    [](const transport::HttpRequest&) { return transport::HttpResponse{.body = "{}"}; });
  }

  void listen() {
    const auto url = server_->listen({.address = "127.0.0.1", .port = 0});
    ENSURE(url.has_value());
    std::printf("{\"event\":\"listening\",\"url\":\"%s\"}\n", url->c_str());
    (void)std::fflush(stdout);
  }
  boost::asio::awaitable<void> stop() { return server_->stop("the server ends"); }

 private:
  void serve(const std::string& path, const websocket::SocketOptions& options, std::uint16_t close_with) {
    server_->on_socket(path, options, [this, close_with](transport::AcceptedSocket accepted) {
      const auto place = clients_.emplace(clients_.end());
      *place = std::make_unique<Echo>(std::move(accepted), close_with, [this, place] {
        boost::asio::post(shard_, [this, place] { clients_.erase(place); });
      });
    });
  }

  boost::asio::io_context& shard_;
  std::unique_ptr<websocket::Server> server_;
  std::list<std::unique_ptr<Echo>> clients_;
};

}  // namespace

int main(int argc, char** argv) {
  websocket::ServerOptions options;
  options.limits.admission.connections_per_address = options.limits.admission.connections;
  Duration ping = limits::kHubHeartbeat;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name{argv[i]};
    if (name == "--tls") {
      auto pem = websocket::development_certificate(argv[i + 1]);
      ENSURE(pem.has_value());
      options.tls = std::move(*pem);
    } else if (name == "--ping") {
      ping = std::chrono::milliseconds{std::atoi(argv[i + 1])};
    } else {
      return 2;
    }
  }
  boost::asio::io_context shard{1};
  EchoServer server{shard, std::move(options), ping};
  server.listen();
  boost::asio::posix::stream_descriptor input{shard, ::dup(STDIN_FILENO)};
  input.async_wait(boost::asio::posix::stream_descriptor::wait_read, [&](const boost::system::error_code&) {
    boost::asio::co_spawn(shard, server.stop(), [](const std::exception_ptr& error) {
      if (error) std::rethrow_exception(error);
    });
  });
  shard.run();
  return 0;
}
