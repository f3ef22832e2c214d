#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/ws_load/client.hpp"
#include "bench/ws_load/dialect.hpp"
#include "core/bytes.hpp"
#include "core/time.hpp"

namespace sluice::ws_load {

/// Many clients of one server on one epoll.
class Crowd {
 public:
  struct Options {
    std::uint16_t port = 0;
    std::size_t clients = 0;
    std::size_t size = 256;  ///< Of a content.
    std::uint64_t run = 0;   ///< By which its messages are known.
  };
  Crowd(Options options, std::unique_ptr<Dialect> dialect);
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;
  ~Crowd();

  /// Connects everyone, so many at a time, until all are where they belong.
  void gather(std::size_t at_once);
  /// The next client in turn says something to all, unless its socket is full.
  void publish();
  /// Waits for what comes, until then at the longest.
  void wait(TimePoint until);

  /// Called for each message of this run with the time that it took.
  std::function<void(Duration)> on_delivery;

  struct Counts {
    std::uint64_t published = 0;
    std::uint64_t held_back = 0;  ///< Not published: the server had not read what was before.
    std::uint64_t delivered = 0;
    std::uint64_t dropped = 0;  ///< As the server says.
    std::uint64_t refused = 0;
    std::string last_refusal{};
  };
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  void open(std::size_t index);
  void turn(std::size_t index, std::uint32_t events);
  void read(std::size_t index);
  void take(std::size_t index, const ServerFrame& frame, TimePoint now);
  void hear(std::size_t index, ByteView message);
  void become_ready(Client& client);
  void watch(std::size_t index);

  Options options_;
  std::unique_ptr<Dialect> dialect_;
  int epoll_;
  std::vector<Client> clients_;
  std::vector<bool> watched_for_room_;
  std::size_t opened_ = 0;
  std::size_t ready_ = 0;
  std::size_t next_ = 0;
  Counts counts_;
  std::array<std::byte, 256 * 1024> room_{};
};

}  // namespace sluice::ws_load
