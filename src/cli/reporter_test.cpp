#include "cli/reporter.hpp"

#include <cstdlib>
#include <thread>

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

#include "cli/testing.hpp"

namespace sluice::cli {
namespace {

using namespace std::chrono_literals;
using testing::Pipe;
using testing::Terminal;

TEST(Reporter, JsonIsOneObjectALineWithTheEventFirst) {
  Pipe out;
  Reporter reporter{{.format = Reporter::Format::json, .out = out.write_end()}};
  reporter.event("waiting", {{"code", "7-a-b-c"}}, "not for programs");
  EXPECT_EQ(out.take_all(), "{\"event\":\"waiting\",\"code\":\"7-a-b-c\"}\n");
}

TEST(Reporter, TextFromOutsideCannotDriveTheTerminal) {
  Pipe out;
  Reporter reporter{{.out = out.write_end()}};
  reporter.event("closed", {}, "peer says \x1b[2J \u009b2J hello");
  EXPECT_EQ(out.take_all(), "peer says \\u001b[2J \\u009b2J hello\n");
}

TEST(Reporter, JsonOnATerminalCannotDriveItEither) {
  Pipe out;
  Reporter reporter{{.format = Reporter::Format::json, .out = out.write_end()}};
  const std::string message = "\x1b[2J \u009b2J \" \\ \u00e4";
  reporter.event("closed", {{"message", message}}, "");
  const std::string line = out.take_all();
  EXPECT_EQ(line, "{\"event\":\"closed\",\"message\":\"\\u001b[2J \\u009b2J \\\" \\\\ \u00e4\"}\n");
  EXPECT_EQ(boost::json::parse(line).at("message").as_string(), message);
}

TEST(Reporter, StatusLinesStayOffFiles) {
  Pipe out;
  Reporter reporter{{.out = out.write_end()}};
  reporter.status({}, {"10 MiB/s"});
  EXPECT_EQ(out.take_all(), "");
}

TEST(Reporter, AStatusLineReplacesTheOneBeforeAndGivesWayToWhatHappens) {
  Terminal terminal;
  Reporter reporter{{.out = terminal.descriptor()}};
  reporter.status({}, {"one"});
  reporter.status({}, {"two"});
  reporter.event("closed", {}, "it is over");
  EXPECT_EQ(terminal.take_all(), "\r\x1b[2Kone\r\x1b[2Ktwo\r\x1b[2Kit is over\r\n");
}

TEST(Reporter, TheLongestStatusLineThatFitsIsShown) {
  Terminal terminal{10};
  Reporter reporter{{.out = terminal.descriptor()}};
  reporter.status({}, {"ten columns", "123456789", "1234"});
  EXPECT_EQ(terminal.take_all(), "\r\x1b[2K123456789");
  reporter.status({}, {"ten columns and more", "1234567äöü"});
  EXPECT_EQ(terminal.take_all(), "\r\x1b[2K1234567äö");
}

TEST(Reporter, ErrorsAreColouredOnATerminalAlone) {
  const Error error{.code = Errc::io, .message = "no"};
  ::unsetenv("NO_COLOR");
  Terminal terminal;
  Reporter{{.err = terminal.descriptor()}}.error(Stage::start, error);
  EXPECT_EQ(terminal.take_all(), "\x1b[31msluice:\x1b[0m no\r\n");
  Pipe pipe;
  Reporter{{.err = pipe.write_end()}}.error(Stage::start, error);
  EXPECT_EQ(pipe.take_all(), "sluice: no\n");
}

TEST(Reporter, ErrorsAreNotColouredWhenTheUserSaysSo) {
  const Error error{.code = Errc::io, .message = "no"};
  Terminal terminal;
  Reporter reporter{{.err = terminal.descriptor()}};
  ::setenv("NO_COLOR", "1", 1);
  reporter.error(Stage::start, error);
  EXPECT_EQ(terminal.take_all(), "sluice: no\r\n");
  ::setenv("NO_COLOR", "", 1);
  reporter.error(Stage::start, error);
  EXPECT_EQ(terminal.take_all(), "\x1b[31msluice:\x1b[0m no\r\n");
  ::unsetenv("NO_COLOR");
}

TEST(Reporter, AFilesProblemsStandBelowEachOther) {
  const Error error{.code = Errc::invalid_argument, .message = "hub.toml:1:1: no\nhub.toml:2:1: \x1b"};
  Pipe pipe;
  Reporter reporter{{.err = pipe.write_end()}};
  EXPECT_EQ(reporter.error(Stage::start, error), ExitCode::usage);
  const std::string told = pipe.take_all();
  EXPECT_TRUE(told.starts_with("sluice: hub.toml:1:1: no\n        hub.toml:2:1: \\u001b\n")) << told;
}

TEST(Reporter, WhatAHubSaysStaysOneLine) {
  const Error error{.code = Errc::refused, .message = "no\nsluice: all is well"};
  Pipe pipe;
  Reporter{{.err = pipe.write_end()}}.error(Stage::running, error);
  EXPECT_EQ(pipe.take_all(), "sluice: no\\u000asluice: all is well\n");
}

TEST(Reporter, LinesAreTheTextBetweenTheirEnds) {
  using Lines = std::vector<std::string_view>;
  EXPECT_EQ(lines_of("one"), Lines{"one"});
  EXPECT_EQ(lines_of("one\n\ntwo"), (Lines{"one", "", "two"}));
}

TEST(Reporter, ErrorsCarryCodeMessageAndHint) {
  Pipe out;
  Reporter reporter{{.format = Reporter::Format::json, .out = out.write_end()}};
  const Error error{.code = Errc::wrong_code, .message = "the code is wrong"};
  EXPECT_EQ(reporter.error(Stage::rendezvous, error), ExitCode::code_wrong);
  const auto parsed = boost::json::parse(out.take_all()).as_object();
  EXPECT_EQ(parsed.at("code").as_string(), "wrong_code");
  EXPECT_EQ(parsed.at("message").as_string(), "the code is wrong");
  EXPECT_FALSE(parsed.at("hint").as_string().empty());
}

TEST(Reporter, StatsAreDroppedAndCountedWhenNobodyReads) {
  Pipe out;
  Reporter reporter{{.format = Reporter::Format::json, .out = out.write_end()}};
  reporter.status({{"streams", 1}}, {});
  EXPECT_EQ(out.take_all(), "{\"event\":\"stats\",\"streams\":1}\n");
  out.fill();
  reporter.status({{"streams", 2}}, {});
  reporter.status({{"streams", 3}}, {});
  EXPECT_EQ(out.take_all().find("stats"), std::string::npos);
  reporter.status({{"streams", 4}}, {});
  reporter.status({{"streams", 5}}, {});
  EXPECT_EQ(out.take_all(),
            "{\"event\":\"stats\",\"streams\":4,\"dropped_stats\":2}\n"
            "{\"event\":\"stats\",\"streams\":5}\n");
}

TEST(Reporter, OtherEventsWaitForASlowReader) {
  Pipe out;
  out.fill();
  Reporter reporter{{.format = Reporter::Format::json, .out = out.write_end()}};
  std::string before;
  std::jthread reader{[&] { before = out.take_all(); }};
  reporter.event("closed", {}, "");
  reader.join();
  EXPECT_NE((before + out.take_all()).find("{\"event\":\"closed\"}\n"), std::string::npos);
}

TEST(Reporter, OtherEventsWaitOnceForAReaderThatStoppedAndTheNextStatsTellHowManyWereLost) {
  Pipe out;
  Pipe err;
  err.fill();
  out.fill();
  Reporter reporter{{.format = Reporter::Format::json, .out = out.write_end(), .err = err.write_end()}};
  const auto before = std::chrono::steady_clock::now();
  for (int i = 0; i < 60; ++i) reporter.event("closed", {}, "");
  EXPECT_LT(std::chrono::steady_clock::now() - before, 30s);
  out.take_all();
  reporter.status({}, {});
  EXPECT_EQ(out.take_all(), "{\"event\":\"stats\",\"dropped_events\":60}\n");
}

TEST(Reporter, FiguresAreReadable) {
  EXPECT_EQ(human_bytes(512), "512 B");
  EXPECT_EQ(human_bytes(1'572'864), "1.5 MiB");
  EXPECT_EQ(human_rate(1024), "1.0 KiB/s");
  EXPECT_EQ(human_duration(std::chrono::microseconds{1200}), "1.2 ms");
}

TEST(ExitCode, TellsTheStagesApart) {
  EXPECT_EQ(exit_code(Stage::hub, Errc::unreachable), ExitCode::hub_unreachable);
  EXPECT_EQ(exit_code(Stage::entry, Errc::refused), ExitCode::failure);
  EXPECT_EQ(exit_code(Stage::path, Errc::unreachable), ExitCode::no_path);
  EXPECT_EQ(exit_code(Stage::rendezvous, Errc::not_found), ExitCode::code_unknown);
  EXPECT_EQ(exit_code(Stage::start, Errc::address_in_use), ExitCode::port_in_use);
  EXPECT_EQ(exit_code(Stage::running, Errc::link_lost), ExitCode::peer_lost);
  EXPECT_EQ(exit_code(Stage::start, Errc::invalid_argument), ExitCode::usage);
}

TEST(ExitCode, AHostThatStoppedInGoodOrderIsAPeerLostWithWordsOfItsOwn) {
  const Error closed{.code = Errc::closed, .message = "the other side shut the association down"};
  EXPECT_EQ(exit_code(Stage::running, closed.code), ExitCode::peer_lost);
  EXPECT_EQ(explain(Stage::running, closed), "the host ended the tunnel");
  EXPECT_FALSE(hint(Stage::running, closed.code).empty());
  EXPECT_NE(hint(Stage::running, closed.code), hint(Stage::running, Errc::link_lost));
  EXPECT_EQ(explain(Stage::hub, closed), closed.message);
}

}  // namespace
}  // namespace sluice::cli
