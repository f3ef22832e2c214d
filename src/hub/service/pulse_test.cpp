#include "hub/service/pulse.hpp"

#include <vector>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace sluice::hub::service {
namespace {

namespace asio = boost::asio;

TEST(Pulse, NamesTheLoopsThatDoNotTurn) {
  asio::io_context home;
  asio::io_context lively;
  asio::io_context stuck;
  Pulse pulse{home.get_executor(), {lively.get_executor(), stuck.get_executor()}};
  asio::cancellation_signal stop;
  asio::co_spawn(home, pulse.run(),
                 asio::bind_cancellation_slot(stop.slot(), [](const std::exception_ptr&) {}));
  home.poll();
  const TimePoint asked = Clock::now();
  EXPECT_TRUE(pulse.stuck(asked).empty()) << "they have not had the time";
  lively.poll();
  home.restart();
  home.poll();
  const TimePoint later = asked + kStuckLoop + std::chrono::seconds{1};
  EXPECT_EQ(pulse.stuck(later), std::vector<std::size_t>{1});
  stuck.poll();
  home.poll();
  EXPECT_TRUE(pulse.stuck(later).empty()) << "it turns again";
  stop.emit(asio::cancellation_type::terminal);
  home.run();
}

TEST(Pulse, MayEndBeforeItsAnswersCome) {
  asio::io_context home;
  asio::io_context loop;
  {
    Pulse pulse{home.get_executor(), {loop.get_executor()}};
    asio::cancellation_signal stop;
    asio::co_spawn(home, pulse.run(),
                   asio::bind_cancellation_slot(stop.slot(), [](const std::exception_ptr&) {}));
    home.poll();
    stop.emit(asio::cancellation_type::terminal);
    home.run();
  }
  loop.poll();
  home.restart();
  home.run();
}

}  // namespace
}  // namespace sluice::hub::service
