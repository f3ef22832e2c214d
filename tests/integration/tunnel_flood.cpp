// A client with the right code that behaves badly: it sends early DATA, as much as each socket's first window
// takes, for sockets that it never opens, and then waits. Says as JSON what came of it.
//
// Usage: tunnel_flood HUB CODE SOCKETS
#include <charconv>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "api/hub_connector.hpp"
#include "crypto/code.hpp"
#include "peer/rendezvous/client.hpp"
#include "runtime/task_scope.hpp"
#include "runtime/wake_up.hpp"
#include "transport/webrtc/peer_connection.hpp"
#include "wire/tunnel/packet.hpp"

namespace {

namespace asio = boost::asio;
using namespace sluice;
using namespace sluice::literals;

void say(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

class Flood final : private transport::LinkListener {
 public:
  Flood(const asio::any_io_executor& executor, std::unique_ptr<transport::Link> link)
      : link_(std::move(link)), changed_(executor) {}

  asio::awaitable<void> run(std::uint32_t sockets) {
    link_->set_buffered_amount_low_threshold(64_KiB);
    link_->listen(*this);
    send(wire::Hello{.first_window = 16'384, .largest_payload = 65'536});
    while (!host_ && !over_) co_await changed_.wait();
    const ByteBuffer payload(host_ ? host_->first_window : 0);
    std::uint32_t sent = 0;
    for (; sent < sockets && !over_; ++sent) {
      send(wire::Data{.socket = {sent + 1}, .sequence = {1}, .payload = payload});
      while (link_->buffered_amount() > 256_KiB && !over_) co_await changed_.wait();
    }
    while (link_->buffered_amount() > Bytes{} && !over_) co_await changed_.wait();
    say(fmt::format("{{\"event\": \"flooded\", \"sockets\": {}}}\n", sent));
    while (!over_) co_await changed_.wait();
    say(fmt::format("{{\"event\": \"ended\", \"rejected\": {}}}\n", rejected_));
  }

 private:
  void send(const wire::Packet& packet) {
    message_.clear();
    wire::encode(packet, message_);
    if (!link_->send(message_)) over_ = true;
  }
  void on_message(ByteView message) override {
    const auto packet = wire::decode(message);
    if (!packet) return;
    if (const auto* hello = std::get_if<wire::Hello>(&*packet)) host_ = *hello;
    if (const auto* close = std::get_if<wire::Close>(&*packet)) {
      if (rejected_++ == 0) say(fmt::format("{{\"event\": \"rejected\", \"text\": \"{}\"}}\n", close->text));
    }
    changed_.notify();
  }
  void on_buffered_amount_low() override { changed_.notify(); }
  void on_closed(const Error&) override {
    over_ = true;
    changed_.notify();
  }

  std::unique_ptr<transport::Link> link_;
  runtime::WakeUp changed_;
  ByteBuffer message_;
  std::optional<wire::Hello> host_;
  std::size_t rejected_ = 0;
  bool over_ = false;
};

asio::awaitable<void> visit(std::string hub, crypto::Code code, std::uint32_t sockets) {
  const auto executor = co_await asio::this_coro::executor;
  rendezvous::ClientSetup setup{.connect = api::hub_connector({.url = std::move(hub), .fingerprint = {}}),
                                .make_peer = webrtc::peer_connection_factory(executor, {}),
                                .credential = rendezvous::Credential::of(code)};
  auto meeting = rendezvous::connect_as_client(std::move(setup));
  auto outcome = co_await std::move(meeting);
  if (!outcome) {
    say(fmt::format("{{\"event\": \"turned_away\", \"message\": \"{}\"}}\n",
                    describe(outcome.error().error)));
    co_return;
  }
  say("{\"event\": \"connected\"}\n");
  Flood flood{executor, std::move(*outcome)};
  auto running = flood.run(sockets);
  co_await std::move(running);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const auto code = crypto::Code::parse(argv[2]);
  std::uint32_t sockets = 0;
  const std::string_view text = argv[3];
  if (!code || std::from_chars(text.data(), text.data() + text.size(), sockets).ec != std::errc{}) return 2;
  asio::io_context shard{1};
  runtime::TaskScope tasks{shard.get_executor()};
  tasks.spawn(visit(argv[1], *code, sockets));
  while (tasks.size() > 0 && shard.run_one() > 0) {
  }
  return 0;
}
