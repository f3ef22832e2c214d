#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/json/object.hpp>

#include "api/job.hpp"
#include "cli/exit_code.hpp"
#include "cli/reporter.hpp"

namespace sluice::cli {

/// Runs a job on this thread to its end, with what every long-running command has: SIGINT and SIGTERM stop it
/// in good order, a second one ends the process at once (`ExitCode::interrupted`), and its status is shown
/// every second.
ExitCode run_job(boost::asio::io_context& shard, api::Job& job, Reporter& reporter);

/// A path as events have it: kind, fast, local, remote.
[[nodiscard]] boost::json::object path_fields(const transport::Path& path);

}  // namespace sluice::cli
