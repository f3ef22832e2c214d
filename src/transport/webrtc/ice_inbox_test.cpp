#include "transport/webrtc/ice_inbox.hpp"

#include <thread>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "core/limits.hpp"

namespace sluice::webrtc {
namespace {

struct Shard {
  Shard() {
    inbox.open([this] {
      ++takes;
      inbox.swap(news);
    });
  }

  boost::asio::io_context context;
  IceNews news;
  int takes = 0;
  IceInbox inbox{context.get_executor()};
};

TEST(IceInbox, WakesTheShardOnceForAllThatHasCome) {
  Shard shard;
  shard.inbox.put_datagram(as_bytes("one"));
  shard.inbox.put({.kind = IceEvent::Kind::connected});
  shard.inbox.put_datagram(as_bytes("second"));
  shard.context.run();
  EXPECT_EQ(shard.takes, 1);
  EXPECT_EQ(as_text(shard.news.bytes), "onesecond");
  EXPECT_EQ(shard.news.sizes, (std::vector<std::uint32_t>{3, 6}));
  ASSERT_EQ(shard.news.events.size(), 1U);
}

TEST(IceInbox, DropsAndCountsBeyondItsBounds) {
  Shard shard;
  const ByteBuffer datagram(64 * 1024);
  std::size_t fits = 0;
  while (shard.inbox.dropped() == 0) {
    shard.inbox.put_datagram(datagram);
    ++fits;
  }
  EXPECT_EQ(fits, limits::kIceInbox.count() / datagram.size() + 1);
  for (std::size_t i = 0; i <= limits::kIceEvents; ++i) shard.inbox.put({.kind = IceEvent::Kind::path});
  EXPECT_EQ(shard.inbox.dropped(), 2U);
  shard.context.run();
  EXPECT_EQ(shard.news.events.size(), limits::kIceEvents);
}

TEST(IceInbox, PostsNothingAfterClose) {
  Shard shard;
  shard.inbox.close();
  shard.inbox.put({.kind = IceEvent::Kind::failed});
  shard.inbox.put_datagram(as_bytes("late"));
  EXPECT_EQ(shard.context.run(), 0U);
}

TEST(IceInbox, LosesNothingBetweenThreads) {
  Shard shard;
  constexpr std::size_t kDatagrams = 2000;
  std::thread sender{[&] {
    for (std::size_t i = 0; i < kDatagrams; ++i) shard.inbox.put_datagram(as_bytes("x"));
  }};
  std::size_t received = 0;
  while (received < kDatagrams) {
    shard.context.restart();
    shard.context.run();
    received += shard.news.sizes.size();
    shard.news.clear();
  }
  sender.join();
  EXPECT_EQ(received, kDatagrams);
  EXPECT_EQ(shard.inbox.dropped(), 0U);
}

}  // namespace
}  // namespace sluice::webrtc
