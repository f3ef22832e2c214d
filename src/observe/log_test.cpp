#include "observe/log.hpp"

#include <gtest/gtest.h>

namespace sluice::observe {
namespace {

std::string logged(LogConfig::Format format, std::string_view message) {
  ::testing::internal::CaptureStderr();
  configure_log({.level = LogLevel::info, .format = format});
  log(LogLevel::warn, "tunnel", message);
  return ::testing::internal::GetCapturedStderr();
}

TEST(Log, WhatAPeerSentCannotDriveTheTerminal) {
  EXPECT_TRUE(logged(LogConfig::Format::text, "\x1b[2J \u009b2J \"q\"")
                  .ends_with("tunnel: \\u001b[2J \\u009b2J \"q\"\n"));
}

TEST(Log, WhatAPeerSentStaysInsideItsJsonString) {
  const std::string line = logged(LogConfig::Format::json, "\x1b \u009b \"q\" \\");
  EXPECT_TRUE(line.starts_with(R"({"log":"warn","room":"tunnel","time_ms":)")) << line;
  EXPECT_TRUE(line.ends_with(R"(,"message":"\u001b \u009b \"q\" \\"})"
                             "\n"))
      << line;
}

std::string logged_with_fields(LogConfig::Format format) {
  ::testing::internal::CaptureStderr();
  configure_log({.level = LogLevel::info, .format = format});
  log(LogLevel::warn, "hub", "gone", {{"uid", "ann"}, {"why", "too \"slow\""}, {"agent", ""}, {"bytes", 42}});
  return ::testing::internal::GetCapturedStderr();
}

TEST(Log, FieldsStandBehindTheMessage) {
  const std::string line = logged_with_fields(LogConfig::Format::text);
  EXPECT_TRUE(line.ends_with("hub: gone uid=ann why=\"too \\\"slow\\\"\" agent=\"\" bytes=42\n")) << line;
}

TEST(Log, FieldsAreMembersOfTheirOwnInJson) {
  const std::string line = logged_with_fields(LogConfig::Format::json);
  EXPECT_TRUE(line.ends_with(R"(,"message":"gone","uid":"ann","why":"too \"slow\"","agent":"","bytes":42})"
                             "\n"))
      << line;
}

}  // namespace
}  // namespace sluice::observe
