#pragma once

#include "cli/exit_code.hpp"
#include "cli/reporter.hpp"
#include "core/bytes.hpp"

namespace sluice::cli {

struct DemoArguments {
  Bytes size = Bytes{256} * 1024 * 1024;  ///< Of the random file that is fetched.
  std::string program = {};               ///< The sluice binary to start; empty: this one.
};

/// Shows the main job on real input: starts a hub, a host and a forward as processes of their own on
/// loopback, fetches a random file from a real HTTP server through the tunnel with curl, compares SHA-256,
/// reports rate, path, CPU and peak memory, and leaves nothing behind, not even when SIGINT or SIGTERM
/// interrupts it (`ExitCode::interrupted`). Needs curl, python3 and sha256sum on the PATH.
ExitCode run_demo(const DemoArguments& arguments, Reporter& reporter);

}  // namespace sluice::cli
