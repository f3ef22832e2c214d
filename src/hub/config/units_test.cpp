#include "hub/config/units.hpp"

#include <chrono>
#include <cstdint>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sluice::hub::config {
namespace {

using namespace literals;
using namespace std::chrono_literals;

TEST(Units, OfBytesAreReadable) {
  EXPECT_EQ(parse_bytes("0B"), 0_B);
  EXPECT_EQ(parse_bytes("64KiB"), 64_KiB);
  EXPECT_EQ(parse_bytes("64 KiB"), 64_KiB);
  EXPECT_EQ(parse_bytes("1MiB"), 1_MiB);
  EXPECT_EQ(parse_bytes("2GiB"), 2048_MiB);
  EXPECT_EQ(parse_bytes("3TiB"), 3_MiB * 1024 * 1024);
  for (const char* const text :
       {"", "64", "KiB", "64kib", "64KB", "64K", "-1KiB", "1.5KiB", "64  KiB", " 64KiB", "64KiB ", "64KiBs",
        "0x10B", "+1B", "8388608TiB", "18446744073709551615TiB", "99999999999999999999B"}) {
    EXPECT_FALSE(parse_bytes(text)) << text;
  }
}

TEST(Units, OfTimeAreReadable) {
  EXPECT_EQ(parse_duration("0s"), 0s);
  EXPECT_EQ(parse_duration("2s"), 2s);
  EXPECT_EQ(parse_duration("-1s"), -1s);
  EXPECT_EQ(parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(parse_duration("2 ms"), 2ms);
  EXPECT_EQ(parse_duration("250us"), 250us);
  EXPECT_EQ(parse_duration("7ns"), 7ns);
  EXPECT_EQ(parse_duration("10min"), 10min);
  EXPECT_EQ(parse_duration("3h"), 3h);
  EXPECT_EQ(parse_duration("7d"), 168h);
  for (const char* const text : {"", "2", "s", "2m", "2sec", "2S", "1h30min", "2  s", " 2s", "2s ", "infs",
                                 "nans", "1e300s", "101000d", "+2s", "--2s", "0x2s"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(Units, AreWrittenAsTheyAreRead) {
  EXPECT_EQ(to_text(64_KiB), "64KiB");
  EXPECT_EQ(to_text(1025_B), "1025B");
  EXPECT_EQ(to_text(0_B), "0B");
  EXPECT_EQ(to_text(Duration{1500ms}), "1500ms");
  EXPECT_EQ(to_text(Duration{90s}), "90s");
  EXPECT_EQ(to_text(Duration{-1s}), "-1s");
  EXPECT_EQ(to_text(Duration{168h}), "7d");
  EXPECT_EQ(to_text(Duration{}), "0s");
  EXPECT_TRUE(rc::check([] {
    const Bytes bytes{*rc::gen::inRange<std::uint64_t>(0, std::uint64_t{1} << 62)};
    RC_ASSERT(parse_bytes(to_text(bytes)) == bytes);
    const Duration duration = std::chrono::milliseconds{*rc::gen::inRange(-1'000'000'000, 1'000'000'000)};
    RC_ASSERT(parse_duration(to_text(duration)) == duration);
  }));
}

}  // namespace
}  // namespace sluice::hub::config
