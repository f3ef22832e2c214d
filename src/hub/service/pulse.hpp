#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "core/time.hpp"

namespace sluice::hub::service {

/// How often each loop is asked.
inline constexpr std::chrono::seconds kPulse{1};
/// A loop that has not answered for so long is stuck: the largest turn takes milliseconds, a slow disk a
/// second.
inline constexpr std::chrono::seconds kStuckLoop{10};

/// Whether event loops turn: each is asked once in a while, and a loop that has not answered for long is
/// stuck.
///
/// Made, run and asked on one executor, `home`. One question at a time is on its way to each loop, so a loop
/// that is stuck for hours has one to answer.
class Pulse {
 public:
  Pulse(boost::asio::any_io_executor home, std::vector<boost::asio::any_io_executor> loops);

  /// Asks until it is cancelled, each `interval`.
  boost::asio::awaitable<void> run(Duration interval = kPulse);

  /// The loops, by their numbers, that were asked longer than `kStuckLoop` ago and have not answered.
  [[nodiscard]] std::vector<std::size_t> stuck(TimePoint now) const;

 private:
  struct Beats {
    std::vector<std::optional<TimePoint>> asked;  ///< When, where the answer has not come.
  };
  void ask(std::size_t loop, TimePoint now);

  boost::asio::any_io_executor home_;
  std::vector<boost::asio::any_io_executor> loops_;
  std::shared_ptr<Beats> beats_;  ///< An answer may come when this is gone.
};

}  // namespace sluice::hub::service
