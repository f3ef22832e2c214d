#include "core/error.hpp"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(Error, DescribesItselfThenItsCauses) {
  Error inner{.code = Errc::unreachable, .message = "connection refused"};
  const Error outer = std::move(inner).as_cause_of(Errc::refused, "cannot reach the hub");
  EXPECT_EQ(outer.code, Errc::refused);
  EXPECT_EQ(describe(outer), "cannot reach the hub: connection refused");
}

TEST(Error, EveryCodeHasAName) {
  for (int code = 0; code <= static_cast<int>(Errc::unsupported); ++code) {
    EXPECT_NE(name_of(static_cast<Errc>(code)), "unknown") << code;
  }
}

}  // namespace
}  // namespace sluice
