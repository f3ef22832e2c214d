#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/time.hpp"
#include "transport/webrtc/data_transport.hpp"

/// For tests: two whole stacks, DTLS and SCTP and channels, joined by a network that loses, delays, reorders
/// and duplicates as its seed says. No socket, no thread, no sleep.
namespace sluice::webrtc::simulated {

/// The time that tests see, and while one lives also the libraries': it stands behind gettimeofday, from
/// which OpenSSL takes its DTLS timers and usrsctp its round trips.
class ClockInstead {
 public:
  ClockInstead();
  ClockInstead(const ClockInstead&) = delete;
  ClockInstead& operator=(const ClockInstead&) = delete;
  ~ClockInstead();

  [[nodiscard]] TimePoint now() const { return now_; }
  void advance(Duration by);

 private:
  TimePoint now_{};
};

struct NetworkRules {
  double loss = 0;
  double duplication = 0;
  Duration delay = std::chrono::milliseconds{5};
  Duration jitter{};  ///< Added at random, so that datagrams overtake each other.
};

/// One direction between the peers.
class Pipe {
 public:
  Pipe(std::uint64_t seed, const NetworkRules& rules) : random_(seed), rules_(rules) {}

  void send(ByteView datagram, TimePoint now);
  [[nodiscard]] std::optional<ByteBuffer> receive(TimePoint now);
  void set_rules(const NetworkRules& rules) { rules_ = rules; }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] Bytes largest() const { return largest_; }

 private:
  struct Datagram {
    TimePoint due;
    std::uint64_t number;
    ByteBuffer bytes;
    bool operator>(const Datagram& other) const {
      return due != other.due ? due > other.due : number > other.number;
    }
  };
  bool happens(double probability);

  std::mt19937_64 random_;
  NetworkRules rules_;
  std::uint64_t sent_ = 0;
  Bytes largest_;
  std::priority_queue<Datagram, std::vector<Datagram>, std::greater<>> in_flight_;
};

/// Writes down what a link tells.
class LinkLog final : public transport::LinkListener {
 public:
  void on_message(ByteView message) override;
  void on_buffered_amount_low() override { ++lows; }
  void on_closed(const Error& reason) override { closed.push_back(reason); }

  std::vector<std::string> messages;
  int lows = 0;
  std::vector<Error> closed;
  std::function<void(ByteView)> also;  ///< Called with each message too, when set.
};

class Peer final : DataTransportListener {
 public:
  Peer(Pipe& out, const ClockInstead& clock, const SctpOptions& options);
  ~Peer() override;

  void deliver(Pipe& in);
  void run_work();
  void run_timers();
  /// Lets the channel's events be written down. The channel must be there.
  transport::Link& listen();

  Certificate certificate = Certificate::generate();
  DataTransport transport;
  std::unique_ptr<DataChannel> channel;
  LinkLog log;
  int secured = 0;
  std::vector<std::unique_ptr<DataChannel>> more_channels;
  std::vector<Error> ended;

 private:
  void on_datagram(ByteView datagram) override { out_.send(datagram, clock_.now()); }
  void on_probe_datagram(ByteView datagram) override { out_.send(datagram, clock_.now()); }
  void on_work() override { work_ = true; }
  void on_secure() override { ++secured; }
  void on_channel(std::unique_ptr<DataChannel> opened) override;
  void on_ended(const Error& reason) override { ended.push_back(reason); }

  Pipe& out_;
  const ClockInstead& clock_;
  bool work_ = false;
};

/// Two peers: `client` begins the DTLS handshake and opens the channel.
class World {
 public:
  struct Setup {
    std::uint64_t seed = 1;
    NetworkRules network{};
    SctpOptions options{};
    Bytes max_message_size = limits::kMaxReceiveMessage;
    ChannelOptions channel{.label = "sluice/1", .protocol = {}, .order = SctpOrder::unordered};
  };
  World() : World(Setup{}) {}
  explicit World(const Setup& setup);

  void start();
  /// Starts both and runs until both have their channel; false when that takes longer than a simulated
  /// minute.
  bool connect();
  void step();  ///< One simulated millisecond.
  void run_for(Duration time);
  /// False when `done` did not come true within the time.
  bool run_until(const std::function<bool()>& done, Duration limit = std::chrono::minutes{1});
  void set_network(const NetworkRules& rules);
  void cut() { set_network({.loss = 1}); }

  ClockInstead clock;
  Pipe to_server;
  Pipe to_client;
  Peer client;
  Peer server;

 private:
  Setup setup_;
  int steps_ = 0;
};

/// A message that can be told from all others by its text: `number:size:` and a pattern.
[[nodiscard]] std::string numbered_message(int number, std::size_t size);

}  // namespace sluice::webrtc::simulated
