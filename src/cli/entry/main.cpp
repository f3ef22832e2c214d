#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "cli/app.hpp"

int main(int argc, char** argv) {
  // A closed pipe or socket is an error code of the write, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);  // NOLINT(cert-err33-c): SIGPIPE can always be ignored
  try {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    return static_cast<int>(sluice::cli::run(arguments));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sluice: %s\n", error.what());
    return static_cast<int>(sluice::cli::ExitCode::failure);
  }
}
