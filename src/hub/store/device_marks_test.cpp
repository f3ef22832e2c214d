#include "hub/store/device_marks.hpp"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::hub::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr UnixMs kDay = 24L * 3'600'000;

Position at(std::uint64_t offset) {
  return {.epoch = 1, .offset = offset};
}

TEST(DeviceMarks, AreDoneWithWhatEachDeviceHasProcessed) {
  DeviceMarks marks;
  EXPECT_THAT(marks.note("laptop", at(5), 1), IsEmpty());
  EXPECT_EQ(marks.done(), at(5));
  EXPECT_THAT(marks.note("phone", at(2), 2), IsEmpty());
  EXPECT_EQ(marks.done(), at(2));
  EXPECT_THAT(marks.note("laptop", at(9), 3), IsEmpty());
  EXPECT_EQ(marks.done(), at(2)) << "still there for the phone";
  EXPECT_THAT(marks.note("phone", at(9), 4), IsEmpty());
  EXPECT_EQ(marks.done(), at(9));
  EXPECT_THAT(marks.note("phone", at(3), 5), IsEmpty());
  EXPECT_EQ(marks.find("phone")->up_to, at(9)) << "a mark never goes back";
}

TEST(DeviceMarks, ForgetADeviceThatDoesNotComeBack) {
  DeviceMarks marks;
  (void)marks.note("lost", at(1), 0);
  (void)marks.note("phone", at(8), 29 * kDay);
  EXPECT_EQ(marks.done(), at(1));
  EXPECT_THAT(marks.note("phone", at(9), 30 * kDay), ElementsAre("lost"));
  EXPECT_EQ(marks.done(), at(9));
  EXPECT_FALSE(marks.find("lost"));
}

TEST(DeviceMarks, ForgetTheLongestUnusedOfTooMany) {
  DeviceMarks marks;
  for (std::size_t i = 0; i < DeviceMarks::kMost; ++i)
    EXPECT_THAT(marks.note("d" + std::to_string(i), at(i + 1), static_cast<UnixMs>(i)), IsEmpty());
  (void)marks.note("d0", at(1), 1'000);  // used again
  EXPECT_THAT(marks.note("one more", at(50), 1'001), ElementsAre("d1"));
  EXPECT_EQ(marks.all().size(), DeviceMarks::kMost);
  EXPECT_EQ(marks.done(), at(1));
}

TEST(DeviceMarks, KeepTheOneThatIsNotedWhateverTheClockSays) {
  DeviceMarks marks;
  (void)marks.note("phone", at(1), 100 * kDay);
  EXPECT_THAT(marks.note("phone", at(2), 1), IsEmpty());
  EXPECT_EQ(marks.done(), at(2));
}

}  // namespace
}  // namespace sluice::hub::store
