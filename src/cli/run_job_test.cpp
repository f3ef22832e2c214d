#include "cli/run_job.hpp"

#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/steady_timer.hpp>
#include <gtest/gtest.h>

#include "cli/testing.hpp"

namespace sluice::cli {
namespace {

namespace asio = boost::asio;

/// Ends at once, as it is told to, and leaves on its shard what it is given.
class BriefJob final : public api::Job {
 public:
  explicit BriefJob(std::optional<api::Failure> failure) : failure_(std::move(failure)) {}

  /// Something that runs on for an hour, as a look-up may that nobody waits for any more.
  void leave(asio::io_context& shard) {
    left_ = std::make_unique<asio::steady_timer>(shard, std::chrono::hours{1});
  }

  asio::awaitable<std::optional<api::Failure>> run() override {
    if (left_) left_->async_wait([](const auto&) {});
    co_return failure_;
  }
  void stop() override {}
  [[nodiscard]] std::optional<api::TunnelStatus> status() const override { return std::nullopt; }

 private:
  std::optional<api::Failure> failure_;
  std::unique_ptr<asio::steady_timer> left_;
};

api::Failure no_hub() {
  return {.stage = Stage::hub, .error = {.code = Errc::unreachable, .message = "no hub there"}};
}

TEST(RunJob, ReturnsWhatTheJobCameTo) {
  testing::Pipe out;
  Reporter reporter{{.format = Reporter::Format::json, .out = out.write_end()}};
  asio::io_context shard{1};
  BriefJob good{std::nullopt};
  EXPECT_EQ(run_job(shard, good, reporter), ExitCode::ok);
  EXPECT_EQ(out.take_all(), "");
  shard.restart();
  BriefJob bad{no_hub()};
  EXPECT_EQ(run_job(shard, bad, reporter), ExitCode::hub_unreachable);
  EXPECT_NE(out.take_all().find("no hub there"), std::string::npos);
}

TEST(RunJobDeathTest, EndsTheProcessWhenSomethingRunsOnAfterTheJob) {
  const auto run = [](std::optional<api::Failure> failure) {
    Reporter reporter{{}};
    asio::io_context shard{1};
    BriefJob job{std::move(failure)};
    job.leave(shard);
    run_job(shard, job, reporter);
    std::abort();  // it would have waited for what was left, or dropped it by luck
  };
  EXPECT_EXIT(run(no_hub()), ::testing::ExitedWithCode(3), "sluice: no hub there");
  EXPECT_EXIT(run(std::nullopt), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace sluice::cli
