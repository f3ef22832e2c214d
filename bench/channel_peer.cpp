// One end of the channel bench: the offerer sends COUNT messages of SIZE bytes as fast as the channel takes
// them, the answerer counts them and says "done". Both then print what it cost them.
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>
#include <sys/resource.h>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "core/limits.hpp"
#include "json_peer.hpp"
#include "observe/log.hpp"

namespace {

using namespace sluice;
using interop::JsonPeer;

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// The process's own peak: `ru_maxrss` would remember that of the program which started it.
double peak_rss_mib() {
  std::ifstream status{"/proc/self/status"};
  for (std::string word; status >> word;) {
    if (word != "VmHWM:") continue;
    double kib = 0;
    status >> kib;
    return kib / 1024;
  }
  return 0;
}

class BenchPeer final : public JsonPeer, private transport::LinkListener {
 public:
  struct Plan {
    std::uint64_t count;
    std::size_t size;
  };

  BenchPeer(boost::asio::io_context& shard, Role role, const webrtc::Options& options, Plan plan)
      : JsonPeer(shard, role, options),
        shard_(shard),
        sender_(role == Role::offer),
        plan_(plan),
        payload_(plan.size) {}

 private:
  void on_channel(std::unique_ptr<transport::Link> channel) override {
    link_ = std::move(channel);
    link_->set_buffered_amount_low_threshold(limits::kLowWaterMark);
    link_->listen(*this);
    begun_ = Clock::now();
    cpu_before_ = cpu_seconds();
    if (sender_) send_some();
  }
  void on_close_wanted() override { link_->close(); }

  void on_message(ByteView message) override {
    if (sender_) return report();
    bytes_ += message.size();
    if (++messages_ != plan_.count) return;
    if (link_->send(as_bytes("done"))) report();
  }
  void on_buffered_amount_low() override {
    if (sender_) send_some();
  }
  void on_closed(const Error&) override {
    interop::say({{"type", "closed"}});
    shard_.stop();
  }

  void send_some() {
    for (; messages_ < plan_.count && link_->buffered_amount() < limits::kHighWaterMark; ++messages_) {
      if (const auto taken = link_->send(payload_); !taken) {
        interop::say({{"type", "error"}, {"message", describe(taken.error())}});
        std::_Exit(1);
      }
      bytes_ += payload_.size();
    }
  }

  void report() {
    interop::say({{"type", "usage"},
                  {"bytes", bytes_},
                  {"wall_s", std::chrono::duration<double>(Clock::now() - begun_).count()},
                  {"cpu_s", cpu_seconds() - cpu_before_},
                  {"peak_rss_mib", peak_rss_mib()}});
  }

  boost::asio::io_context& shard_;
  const bool sender_;
  const Plan plan_;
  const ByteBuffer payload_;
  std::unique_ptr<transport::Link> link_;
  std::uint64_t messages_ = 0;
  std::uint64_t bytes_ = 0;
  TimePoint begun_;
  double cpu_before_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 3) return EXIT_FAILURE;
  webrtc::Options options;
  options.local_addresses = {"127.0.0.1"};
  for (std::size_t i = 3; i < arguments.size(); ++i) {
    if (arguments[i] == "--plain-ice") options.data_path = webrtc::Options::DataPath::plain_ice;
    if (arguments[i] == "--verbose") observe::configure_log({.level = observe::LogLevel::debug});
  }
  boost::asio::io_context shard{1};
  BenchPeer peer{shard,
                 arguments[0] == "offer" ? JsonPeer::Role::offer : JsonPeer::Role::answer,
                 options,
                 {.count = std::stoull(arguments[1]), .size = std::stoul(arguments[2])}};
  peer.begin();
  shard.run();
}
