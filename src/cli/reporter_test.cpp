#include "cli/reporter.hpp"

#include <cstdlib>
#include <memory>

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

/// What a command would have printed, caught in memory.
class Caught {
 public:
  Caught() : file_(::open_memstream(&text_, &size_)) {}
  ~Caught() {
    std::fclose(file_);
    std::free(text_);  // NOLINT(cppcoreguidelines-no-malloc): open_memstream's contract
  }
  Caught(const Caught&) = delete;
  Caught& operator=(const Caught&) = delete;

  [[nodiscard]] std::FILE* file() const { return file_; }
  [[nodiscard]] std::string text() const {
    std::fflush(file_);
    return {text_, size_};
  }

 private:
  char* text_ = nullptr;
  std::size_t size_ = 0;
  std::FILE* file_;
};

TEST(Reporter, JsonIsOneObjectALineWithTheEventFirst) {
  const Caught out;
  Reporter reporter{{.format = Reporter::Format::json, .out = out.file()}};
  reporter.event("waiting", {{"code", "7-a-b-c"}}, "not for programs");
  EXPECT_EQ(out.text(), "{\"event\":\"waiting\",\"code\":\"7-a-b-c\"}\n");
}

TEST(Reporter, TextFromOutsideCannotDriveTheTerminal) {
  const Caught out;
  Reporter reporter{{.out = out.file()}};
  reporter.event("closed", {}, "peer says \x1b[2Jhello");
  EXPECT_EQ(out.text(), "peer says ?[2Jhello\n");
}

TEST(Reporter, StatusLinesStayOffFiles) {
  const Caught out;
  Reporter reporter{{.out = out.file()}};
  reporter.status({}, "10 MiB/s");
  EXPECT_EQ(out.text(), "");
}

TEST(Reporter, ErrorsCarryCodeMessageAndHint) {
  const Caught out;
  Reporter reporter{{.format = Reporter::Format::json, .out = out.file()}};
  const Error error{.code = Errc::wrong_code, .message = "the code is wrong"};
  EXPECT_EQ(reporter.error(Stage::rendezvous, error), ExitCode::code_wrong);
  const auto parsed = boost::json::parse(out.text()).as_object();
  EXPECT_EQ(parsed.at("code").as_string(), "wrong_code");
  EXPECT_EQ(parsed.at("message").as_string(), "the code is wrong");
  EXPECT_FALSE(parsed.at("hint").as_string().empty());
}

TEST(Reporter, FiguresAreReadable) {
  EXPECT_EQ(human_bytes(512), "512 B");
  EXPECT_EQ(human_bytes(1'572'864), "1.5 MiB");
  EXPECT_EQ(human_rate(1024), "1.0 KiB/s");
  EXPECT_EQ(human_duration(std::chrono::microseconds{1200}), "1.2 ms");
}

TEST(ExitCode, TellsTheStagesApart) {
  EXPECT_EQ(exit_code(Stage::hub, Errc::unreachable), ExitCode::hub_unreachable);
  EXPECT_EQ(exit_code(Stage::path, Errc::unreachable), ExitCode::no_path);
  EXPECT_EQ(exit_code(Stage::rendezvous, Errc::not_found), ExitCode::code_unknown);
  EXPECT_EQ(exit_code(Stage::start, Errc::address_in_use), ExitCode::port_in_use);
  EXPECT_EQ(exit_code(Stage::running, Errc::link_lost), ExitCode::peer_lost);
}

}  // namespace
}  // namespace sluice::cli
