#include "api/descriptor_plan.hpp"

#include <gtest/gtest.h>

namespace sluice::api {
namespace {

TEST(DescriptorPlan, KeepsAPartForTheControlPlaneAndGivesStreamsTheRest) {
  const DescriptorPlan plan = plan_descriptors({.limit = 1024, .open = 16, .per_session = 8});
  EXPECT_EQ(plan.sessions, 28U);
  EXPECT_EQ(plan.streams, 688U);
  EXPECT_EQ(16 + limits::kReservedDescriptors + plan.sessions * 8 + plan.streams, 1024U);
}

TEST(DescriptorPlan, HasRoomForAllSessionsWhereThereAreManyDescriptors) {
  const DescriptorPlan plan = plan_descriptors({.limit = 1'000'000, .open = 16, .per_session = 20});
  EXPECT_EQ(plan.sessions, limits::kMaxSessions);
  EXPECT_EQ(plan.streams, 1'000'000U - 16 - limits::kReservedDescriptors - limits::kMaxSessions * 20);
}

TEST(DescriptorPlan, ServesOneClientEvenWithFewDescriptors) {
  const DescriptorPlan plan = plan_descriptors({.limit = 64, .open = 14, .per_session = 7});
  EXPECT_EQ(plan.sessions, 1U);
  EXPECT_EQ(plan.streams, 31U);
}

TEST(DescriptorPlan, HasNothingForStreamsWhereASessionTakesAll) {
  EXPECT_EQ(plan_descriptors({.limit = 20, .open = 14, .per_session = 7}).streams, 0U);
  EXPECT_EQ(plan_descriptors({.limit = 10, .open = 14, .per_session = 7}).streams, 0U);
}

TEST(DescriptorPlan, CountsWhatThisProcessHasOpen) {
  const DescriptorNeeds now = descriptors_now();
  EXPECT_GE(now.open, 3U);
  EXPECT_GT(now.limit, now.open);
}

}  // namespace
}  // namespace sluice::api
