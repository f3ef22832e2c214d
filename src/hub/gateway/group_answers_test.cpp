#include "hub/gateway/group_answers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::hub {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using wire::hub::FromHub;
using wire::hub::Joined;
using wire::hub::Left;
using wire::hub::Members;

FromHub joined() {
  return Joined{.group = "g"};
}
FromHub left() {
  return Left{.group = "g"};
}

TEST(GroupAnswers, ReturnsAnAnswerAtOnceWhenNoneIsMissing) {
  GroupAnswers answers;
  EXPECT_THAT(answers.in_turn("g", left()), ElementsAre(left()));
  EXPECT_EQ(answers.waiting(), 0U);
}

TEST(GroupAnswers, KeepsALaterAnswerBehindTheHomesEarlierOne) {
  GroupAnswers answers;
  answers.expect("g");
  EXPECT_THAT(answers.in_turn("g", left()), IsEmpty());
  EXPECT_EQ(answers.waiting(), 2U);
  EXPECT_THAT(answers.in_turn("other", left()), ElementsAre(left())) << "another group does not wait";
  EXPECT_THAT(answers.arrived("g", joined()), ElementsAre(joined(), left()));
  EXPECT_EQ(answers.waiting(), 0U);
}

TEST(GroupAnswers, StopsAtTheNextAnswerThatIsMissing) {
  GroupAnswers answers;
  answers.expect("g");  // a join
  EXPECT_THAT(answers.in_turn("g", left()), IsEmpty());
  answers.expect("g");  // another join
  answers.expect("g");  // a who
  EXPECT_THAT(answers.in_turn("g", left()), IsEmpty());
  EXPECT_THAT(answers.arrived("g", joined()), ElementsAre(joined(), left()));
  EXPECT_THAT(answers.arrived("g", joined()), ElementsAre(joined()));
  EXPECT_THAT(answers.arrived("g", Members{.group = "g"}),
              ElementsAre(FromHub{Members{.group = "g"}}, left()));
}

}  // namespace
}  // namespace sluice::hub
