#pragma once

#include <functional>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/json/object.hpp>

#include "api/job.hpp"
#include "cli/exit_code.hpp"
#include "cli/reporter.hpp"

namespace sluice::cli {

/// Runs a job on this thread to its end, with what every long-running command has: SIGINT, SIGTERM and SIGHUP
/// stop it in good order (but SIGHUP only a job that has nothing to reload), a second one ends the process at
/// once (`ExitCode::interrupted`), and its status is shown every second. `on_stop` is called before the job
/// is stopped.
///
/// Ends the process itself, with what it would have returned, when the job leaves something on the shard that
/// does not end at once: a name look-up, which the system cannot give up.
ExitCode run_job(boost::asio::io_context& shard, api::Job& job, Reporter& reporter,
                 const std::function<void()>& on_stop = {});

/// A path as events have it: kind, fast, local, remote.
[[nodiscard]] boost::json::object path_fields(const transport::Path& path);

/// And as a person reads it: `direct path 192.0.2.1:40000 -> 198.51.100.7:40001`.
[[nodiscard]] std::string path_text(const transport::Path& path);

}  // namespace sluice::cli
