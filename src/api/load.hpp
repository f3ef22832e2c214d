#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "api/job.hpp"
#include "api/load_options.hpp"
#include "api/load_shard.hpp"
#include "runtime/wake_up.hpp"

namespace sluice::api {

/// What a load run has come to so far.
struct LoadReport {
  std::size_t clients = 0;
  std::size_t slow = 0;
  std::size_t ready = 0;  ///< Connected, and where they belong.
  Duration sending{};     ///< For how long messages have been sent.
  LoadCounts counts{};
  Latencies latencies{};
  std::uint64_t delivered = 0;
  std::uint64_t gapped = 0;
  std::uint64_t unanswered = 0;  ///< Of clients that were cut.
  std::uint64_t out_of_order = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t untold = 0;
  std::uint64_t missing = 0;
  std::uint64_t failed_attempts = 0;
  Duration connect_took{};  ///< Until all were ready at first.
  Duration back_took{};     ///< Of a storm: until all were back and had caught up.
  Duration cpu{};           ///< Of this process, since sending began.

  /// What went wrong, in words; empty: nothing did.
  [[nodiscard]] std::string verdict() const;
};

/// A load run: connects its clients, lets them send for a while, waits until all has come that must, and
/// holds what came against what was sent.
///
/// One shard, beside the threads of its clients. Ends early when stopped, with what there is by then.
class LoadRun final : public Job {
 public:
  /// `progress` is called about each second.
  LoadRun(boost::asio::any_io_executor executor, LoadOptions options,
          std::function<void(const LoadReport&)> progress);
  ~LoadRun() override;

  /// Fails when not all clients can connect; what the run found is in `report`.
  boost::asio::awaitable<std::optional<Failure>> run() override;
  void stop() override;
  [[nodiscard]] Ending ending() const override { return {.what = "what came of it until now is told"}; }
  [[nodiscard]] std::optional<TunnelStatus> status() const override { return std::nullopt; }
  [[nodiscard]] const LoadReport& report() const { return report_; }

 private:
  boost::asio::awaitable<void> look();
  boost::asio::awaitable<bool> wait(Duration time);
  boost::asio::awaitable<std::optional<Failure>> connect();
  boost::asio::awaitable<void> send();
  boost::asio::awaitable<void> storm();
  boost::asio::awaitable<void> settle();
  void sum_up(const std::vector<LoadSnapshot>& snapshots);

  boost::asio::any_io_executor executor_;
  LoadOptions options_;
  std::function<void(const LoadReport&)> progress_;
  runtime::WakeUp stopped_;
  std::vector<std::unique_ptr<LoadShard>> shards_;
  LoadReport report_;
  bool settled_ = false;  ///< By the last look: nothing that must come is missing.
  std::optional<Error> last_failure_;
  TimePoint sending_since_{};
  TimePoint progress_at_{};
  Duration cpu_before_{};
  bool stop_ = false;
};

}  // namespace sluice::api
