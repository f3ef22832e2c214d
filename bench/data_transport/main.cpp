// DTLS, SCTP and a data channel alone, without a network: two transports in one thread hand each other
// batches of datagrams. Prints what one gigabyte costs both ends together.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <sys/resource.h>
#include <vector>

#include <fmt/format.h>

#include "transport/webrtc/data_transport.hpp"

namespace sluice::webrtc {
namespace {

using namespace literals;

/// As the GSO path makes them.
constexpr std::size_t kBatchDatagrams = 60;
constexpr std::size_t kBatchBytes = 65'000;

class Batch {
 public:
  [[nodiscard]] bool has_room_for(ByteView datagram) const {
    return sizes_.size() < kBatchDatagrams && used_ + datagram.size() <= kBatchBytes;
  }
  void append(ByteView datagram) {
    std::memcpy(bytes_.data() + used_, datagram.data(), datagram.size());
    used_ += datagram.size();
    sizes_.push_back(datagram.size());
  }
  template <typename F>
  void take_all(F&& each) {
    std::size_t at = 0;
    for (const std::size_t size : sizes_) {
      each(ByteView{bytes_}.subspan(at, size));
      at += size;
    }
    sizes_.clear();
    used_ = 0;
  }

 private:
  ByteBuffer bytes_ = ByteBuffer(kBatchBytes);
  std::vector<std::size_t> sizes_;
  std::size_t used_ = 0;
};

class End final : DataTransportListener, transport::LinkListener {
 public:
  void on_datagram(ByteView datagram) override {
    if (!batches.back().has_room_for(datagram)) batches.emplace_back();
    batches.back().append(datagram);
    ++datagrams;
  }
  void on_probe_datagram(ByteView datagram) override { on_datagram(datagram); }
  void on_work() override { work = true; }
  void on_secure() override {}
  void on_channel(std::unique_ptr<DataChannel> opened) override {
    channel = std::move(opened);
    channel->listen(*this);
  }
  void on_ended(const Error& reason) override {
    fmt::print(stderr, "ended: {}\n", describe(reason));
    std::exit(1);
  }
  void on_message(ByteView message) override { received += message.size(); }
  void on_buffered_amount_low() override {}
  void on_closed(const Error& /*reason*/) override {}

  void process() {
    transport.process(Clock::now());
    work = false;
  }

  Certificate certificate = Certificate::generate();
  DataTransport transport{certificate, *this};
  std::unique_ptr<DataChannel> channel;
  std::vector<Batch> batches = std::vector<Batch>(1);
  std::uint64_t received = 0;
  std::uint64_t datagrams = 0;
  bool work = false;
};

void carry(End& from, End& to) {
  std::vector<Batch> batches(1);
  std::swap(batches, from.batches);
  for (Batch& batch : batches) batch.take_all([&](ByteView datagram) { to.transport.receive(datagram); });
  to.process();
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Plan {
  std::uint64_t megabytes = 500;
  std::uint64_t message_size = 16384;
};

void run(const Plan& plan) {
  End client;
  End server;
  if (!client.transport.create_channel({.label = "bench"})) std::exit(1);
  server.transport.start({.role = DtlsRole::server, .remote_fingerprint = client.certificate.fingerprint()},
                         Clock::now());
  client.transport.start({.role = DtlsRole::client, .remote_fingerprint = server.certificate.fingerprint()},
                         Clock::now());
  TimePoint ticked = Clock::now();
  const auto turn = [&] {
    carry(client, server);
    carry(server, client);
    if (Clock::now() - ticked < limits::kSctpTick) return;
    ticked = Clock::now();
    client.transport.handle_timers(ticked);
    server.transport.handle_timers(ticked);
  };
  while (client.channel == nullptr || server.channel == nullptr) turn();

  const std::uint64_t total = plan.megabytes * 1'000'000;
  const ByteBuffer message(plan.message_size, std::byte{'x'});
  const double cpu_before = cpu_seconds();
  const TimePoint before = Clock::now();
  for (std::uint64_t sent = 0; server.received < total;) {
    while (sent < total && client.channel->buffered_amount() < limits::kHighWaterMark) {
      if (!client.channel->send(message)) std::exit(1);
      sent += message.size();
    }
    turn();
  }
  const double wall = std::chrono::duration<double>(Clock::now() - before).count();
  const double gigabytes = static_cast<double>(server.received) / 1e9;
  fmt::print(
      "{} B messages: {:.0f} MB/s, {:.2f} CPU s/GB for both ends, {:.2f} datagrams back for each one forth\n",
      plan.message_size, gigabytes * 1000 / wall, (cpu_seconds() - cpu_before) / gigabytes,
      static_cast<double>(server.datagrams) / static_cast<double>(client.datagrams));
}

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return std::max<std::uint64_t>(value, 1);
}

}  // namespace
}  // namespace sluice::webrtc

/// Arguments: megabytes to carry, bytes a message.
int main(int count, char** arguments) {
  sluice::webrtc::Plan plan;
  if (count > 1) plan.megabytes = sluice::webrtc::number(arguments[1]);
  if (count > 2) plan.message_size = sluice::webrtc::number(arguments[2]);
  sluice::webrtc::run(plan);
}
