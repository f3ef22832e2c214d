#include "transport/webrtc/datagram_batch.hpp"

#include <deque>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sluice::webrtc {
namespace {

ByteBuffer datagram(std::size_t size, int fill = 0) {
  return ByteBuffer(size, static_cast<std::byte>(fill));
}

TEST(DatagramBatch, RunIsOfOneSizeWithAShorterOneLast) {
  DatagramBatch batch;
  for (const std::size_t size : {1200U, 1200U, 800U, 1200U}) batch.add(datagram(size));
  const SegmentRun run = batch.front_run();
  EXPECT_EQ(run.count, 3U);
  EXPECT_EQ(run.segment, 1200);
  EXPECT_EQ(run.bytes.size(), 3200U);
  batch.drop_front(run.count);
  EXPECT_EQ(batch.front_run().count, 1U);
}

TEST(DatagramBatch, LongerDatagramBeginsANewRun) {
  DatagramBatch batch;
  batch.add(datagram(100));
  batch.add(datagram(1200));
  EXPECT_EQ(batch.front_run().count, 1U);
}

TEST(DatagramBatch, RunStaysWithinSegmentsAndBytesOfOneCall) {
  DatagramBatch small;
  for (std::size_t i = 0; i < 2 * limits::kGsoSegments; ++i) small.add(datagram(100));
  EXPECT_EQ(small.front_run().count, limits::kGsoSegments);
  DatagramBatch large;
  for (int i = 0; i < 60; ++i) large.add(datagram(1400));
  EXPECT_EQ(large.front_run().count, limits::kGsoBytes.count() / 1400);
}

TEST(DatagramBatch, RefusesBeyondItsBoundAndWhatIsNoDatagram) {
  DatagramBatch batch;
  EXPECT_EQ(batch.add({}), DatagramBatch::Added::refused);
  EXPECT_EQ(batch.add(datagram(65536)), DatagramBatch::Added::refused);
  std::size_t kept = 0;
  while (batch.add(datagram(1024)) == DatagramBatch::Added::kept) ++kept;
  EXPECT_EQ(kept, limits::kPathBacklog.count() / 1024);
  batch.drop_front(1);
  EXPECT_EQ(batch.add(datagram(1024)), DatagramBatch::Added::kept);
}

TEST(DatagramBatch, KeepsOrderAndBytesHoweverItIsTaken) {
  EXPECT_TRUE(rc::check("as a queue", [] {
    DatagramBatch batch;
    std::deque<ByteBuffer> model;
    for (int step = 0; step < 60; ++step) {
      if (*rc::gen::inRange(0, 3) != 0) {
        model.push_back(datagram(*rc::gen::element<std::size_t>(1, 40, 1200), step));
        RC_ASSERT(batch.add(model.back()) == DatagramBatch::Added::kept);
      } else if (!batch.empty()) {
        const SegmentRun run = batch.front_run();
        ByteBuffer expected;
        for (std::size_t i = 0; i < run.count; ++i) {
          RC_ASSERT(model[i].size() == run.segment || (i + 1 == run.count && model[i].size() < run.segment));
          expected.insert(expected.end(), model[i].begin(), model[i].end());
        }
        RC_ASSERT(to_buffer(run.bytes) == expected);
        const auto taken = *rc::gen::inRange<std::size_t>(1, run.count + 1);
        batch.drop_front(taken);
        model.erase(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(taken));
      }
      RC_ASSERT(batch.count() == model.size());
    }
  }));
}

}  // namespace
}  // namespace sluice::webrtc
