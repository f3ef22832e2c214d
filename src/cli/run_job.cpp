#include "cli/run_job.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include "core/limits.hpp"
#include "runtime/task_scope.hpp"

namespace sluice::cli {
namespace {

namespace asio = boost::asio;

constexpr auto kStatusInterval = std::chrono::seconds{1};
/// What a job's end leaves to run: handlers that are ready, and what libraries post once they were stopped.
constexpr auto kLeftoverPatience = std::chrono::milliseconds{250};

double milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

std::string_view kind_name(transport::Path::Kind kind) {
  switch (kind) {
    case transport::Path::Kind::direct:
      return "direct";
    case transport::Path::Kind::relayed:
      return "relayed";
    case transport::Path::Kind::server:
      return "server";
  }
  return "unknown";
}

/// Bytes a second each way, from one status to the next.
class Rates {
 public:
  struct Now {
    double sent = 0;
    double received = 0;
  };
  Now next(const api::TunnelStatus& status, TimePoint now) {
    const double seconds = std::chrono::duration<double>(now - last_).count();
    const auto rate = [&](Bytes total, Bytes& before) {
      const Bytes moved = total - before;
      before = total;
      return seconds > 0 ? static_cast<double>(moved.count()) / seconds : 0;
    };
    last_ = now;
    return {.sent = rate(status.sent, sent_), .received = rate(status.received, received_)};
  }

 private:
  TimePoint last_ = Clock::now();
  Bytes sent_;
  Bytes received_;
};

void show_lines(Reporter& reporter, boost::json::object fields, const api::TunnelStatus& status,
                Rates::Now rates) {
  const std::string streams = fmt::format("{} stream{}", status.streams, status.streams == 1 ? "" : "s");
  const std::string figures = fmt::format(
      "{} | out {} ({}) | in {} ({}) | held back {} link, {} far", streams, human_rate(rates.sent),
      human_bytes(status.sent.count()), human_rate(rates.received), human_bytes(status.received.count()),
      human_duration(status.held_back), human_duration(status.without_credit));
  if (!status.path) return reporter.status(std::move(fields), {figures});
  const transport::Path& path = *status.path;
  const std::string_view kind = kind_name(path.kind);
  const std::string round_trip =
      status.round_trip ? fmt::format("rtt {} | ", human_duration(*status.round_trip)) : "";
  reporter.status(std::move(fields), {fmt::format("{} | {}{}", path_text(path), round_trip, figures),
                                      fmt::format("{} {} | {}{}", kind, path.remote, round_trip, figures),
                                      fmt::format("{} | {}{}", kind, round_trip, figures),
                                      fmt::format("{} | {}{} | out {} | in {}", kind, round_trip, streams,
                                                  human_rate(rates.sent), human_rate(rates.received))});
}

void show(Reporter& reporter, const api::TunnelStatus& status, Rates::Now rates) {
  boost::json::object fields{{"sessions", status.sessions},
                             {"streams", status.streams},
                             {"bytes_sent", status.sent.count()},
                             {"bytes_received", status.received.count()},
                             {"send_bytes_per_s", rates.sent},
                             {"receive_bytes_per_s", rates.received},
                             {"gate_closed_ms", milliseconds(status.held_back)},
                             {"no_credit_ms", milliseconds(status.without_credit)},
                             {"buffered", status.buffered.count()}};
  if (status.path) fields["path"] = path_fields(*status.path);
  if (status.round_trip) fields["rtt_ms"] = milliseconds(*status.round_trip);
  show_lines(reporter, std::move(fields), status, rates);
}

asio::awaitable<void> show_status(const api::Job& job, Reporter& reporter) {
  asio::steady_timer timer{co_await asio::this_coro::executor};
  Rates rates;
  while (true) {
    timer.expires_after(kStatusInterval);
    co_await timer.async_wait(asio::use_awaitable);
    if (const auto status = job.status()) show(reporter, *status, rates.next(*status, Clock::now()));
  }
}

/// What asks a command to stop. The end of the terminal is such (ssh ends its ProxyCommand so), unless
/// whoever started the command has seen to it that it is not (nohup).
void watch(asio::signal_set& signals) {
  signals.add(SIGINT);
  signals.add(SIGTERM);
  struct sigaction hang_up{};
  if (::sigaction(SIGHUP, nullptr, &hang_up) == 0 && hang_up.sa_handler != SIG_IGN) signals.add(SIGHUP);
}

asio::awaitable<void> obey_signals(api::Job& job, Reporter& reporter, const std::function<void()>& on_stop) {
  asio::signal_set signals{co_await asio::this_coro::executor};
  watch(signals);
  while (co_await signals.async_wait(asio::use_awaitable) == SIGHUP && job.reload()) {
  }
  const api::Job::Ending ending = job.ending();
  const auto limit = ending.limit.count();
  reporter.event("stopping", {{"drain_timeout_s", limit}},
                 fmt::format("stopping: {}{} (again: at once)", ending.what,
                             limit > 0 ? fmt::format(", {} s at most", limit) : ""));
  if (on_stop) on_stop();
  job.stop();
  co_await signals.async_wait(asio::use_awaitable);
  std::_Exit(static_cast<int>(ExitCode::interrupted));
}

/// Ends the process when something still waits on the shard, rather than wait for it: jobs join all that is
/// theirs, so it belongs to a library, and nobody needs it any more. Name look-ups do not wait on the shard.
void leave_the_rest_behind(asio::io_context& shard, Reporter& reporter, ExitCode code) {
  shard.run_for(kLeftoverPatience);
  if (shard.stopped()) return;  // nothing is left
  reporter.clear_status();
  std::fflush(nullptr);
  std::_Exit(static_cast<int>(code));
}

asio::awaitable<void> run_to_end(api::Job& job, runtime::TaskScope& helpers,
                                 std::optional<api::Failure>& failure) {
  failure = co_await job.run();
  helpers.cancel();
}

}  // namespace

boost::json::object path_fields(const transport::Path& path) {
  return {
      {"kind", kind_name(path.kind)}, {"fast", path.fast}, {"local", path.local}, {"remote", path.remote}};
}

std::string path_text(const transport::Path& path) {
  return fmt::format("{} path {} -> {}", kind_name(path.kind), path.local, path.remote);
}

ExitCode run_job(asio::io_context& shard, api::Job& job, Reporter& reporter,
                 const std::function<void()>& on_stop) {
  runtime::TaskScope main{shard.get_executor()};
  runtime::TaskScope helpers{shard.get_executor()};
  std::optional<api::Failure> failure;
  helpers.spawn(obey_signals(job, reporter, on_stop));
  helpers.spawn(show_status(job, reporter));
  main.spawn(run_to_end(job, helpers, failure));
  while ((main.size() > 0 || helpers.size() > 0) && shard.run_one() > 0) {
  }
  const ExitCode code = failure ? reporter.error(failure->stage, failure->error) : ExitCode::ok;
  leave_the_rest_behind(shard, reporter, code);
  return code;
}

}  // namespace sluice::cli
