// One end of a data channel with this project's transport; README.md has the protocol.
#include <cstdlib>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/crc.hpp>

#include "json_peer.hpp"
#include "transport/webrtc/data_channel.hpp"

namespace {

using namespace sluice;
using namespace sluice::literals;
using interop::JsonPeer;

std::uint64_t crc_of(ByteView bytes) {
  boost::crc_32_type crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

ByteBuffer message(std::uint32_t index, std::size_t size) {
  ByteBuffer out(size);
  for (std::size_t i = 0; i < 4; ++i) out[i] = static_cast<std::byte>(index >> (24 - 8 * i));
  for (std::size_t i = 4; i < size; ++i) out[i] = static_cast<std::byte>((index * 31 + (i - 4)) % 251);
  return out;
}

class InteropPeer final : public JsonPeer, private transport::LinkListener {
 public:
  struct Plan {
    std::uint32_t count;
    std::size_t size;
  };

  InteropPeer(boost::asio::io_context& shard, Role role, const webrtc::Options& options, Plan plan)
      : JsonPeer(shard, role, options), shard_(shard), plan_(plan) {}

 private:
  static constexpr Bytes kHigh = 1_MiB;
  static constexpr Bytes kLow = 256_KiB;

  void on_channel(std::unique_ptr<transport::Link> channel) override {
    link_ = std::move(channel);
    order_ = dynamic_cast<const webrtc::DataChannel&>(*link_).options().order;
    link_->set_buffered_amount_low_threshold(kLow);
    link_->listen(*this);
    send_some();
  }
  void on_close_wanted() override { link_->close(); }

  void on_message(ByteView bytes) override {
    ++received_;
    received_sum_ += crc_of(bytes);
    tell_result();
  }
  void on_buffered_amount_low() override { send_some(); }
  void on_closed(const Error& reason) override {
    interop::say({{"type", "closed"}, {"reason", std::string{name_of(reason.code)}}});
    shard_.stop();
  }

  void send_some() {
    for (; sent_ < plan_.count && link_->buffered_amount() <= kHigh; ++sent_) {
      const ByteBuffer bytes = message(sent_, plan_.size);
      sent_sum_ += crc_of(bytes);
      if (const auto taken = link_->send(bytes); !taken) {
        interop::say({{"type", "error"}, {"message", describe(taken.error())}});
        std::_Exit(1);
      }
    }
    tell_result();
  }

  void tell_result() {
    if (sent_ != plan_.count || received_ != plan_.count || told_) return;
    told_ = true;
    interop::say({{"type", "result"},
                  {"sent", sent_},
                  {"sent_sum", sent_sum_},
                  {"received", received_},
                  {"received_sum", received_sum_},
                  {"ordered", order_ == webrtc::SctpOrder::ordered}});
  }

  boost::asio::io_context& shard_;
  Plan plan_;
  std::unique_ptr<transport::Link> link_;
  webrtc::SctpOrder order_ = webrtc::SctpOrder::ordered;  ///< As the channel says once it is open.
  std::uint32_t sent_ = 0;
  std::uint32_t received_ = 0;
  std::uint64_t sent_sum_ = 0;
  std::uint64_t received_sum_ = 0;
  bool told_ = false;
};

/// `USER:PASSWORD@ADDRESS:PORT/udp` or `/tcp`.
webrtc::TurnServer parse_turn(const std::string& text) {
  const auto at = text.find('@');
  const auto user_end = text.find(':');
  const auto port = text.rfind(':');
  const auto slash = text.rfind('/');
  using Transport = webrtc::TurnServer::Transport;
  return {.host = text.substr(at + 1, port - at - 1),
          .port = static_cast<std::uint16_t>(std::stoul(text.substr(port + 1))),
          .user = text.substr(0, user_end),
          .password = text.substr(user_end + 1, at - user_end - 1),
          .transport = text.substr(slash + 1) == "tcp" ? Transport::tcp : Transport::udp};
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 3) return EXIT_FAILURE;
  webrtc::Options options;
  for (std::size_t i = 3; i < arguments.size(); ++i) {
    if (arguments[i] == "--plain-ice") options.data_path = webrtc::Options::DataPath::plain_ice;
    if (arguments[i] == "--relay-only") options.policy = webrtc::Options::IcePolicy::relay_only;
    if (arguments[i] == "--local-address" && i + 1 < arguments.size()) {
      options.local_addresses.push_back(arguments[++i]);
    }
    if (arguments[i] == "--turn" && i + 1 < arguments.size())
      options.turn.push_back(parse_turn(arguments[++i]));
  }
  boost::asio::io_context shard;
  InteropPeer peer{
      shard,
      arguments[0] == "offer" ? JsonPeer::Role::offer : JsonPeer::Role::answer,
      options,
      {.count = static_cast<std::uint32_t>(std::stoul(arguments[1])), .size = std::stoul(arguments[2])}};
  peer.begin();
  shard.run();
}
