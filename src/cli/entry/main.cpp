#include <csignal>
#include <cstdio>
#include <exception>
#include <fcntl.h>
#include <string>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

#include "cli/app.hpp"

namespace {

/// Raises this process's limit of open files to the most that it may have. Most systems begin with 1,024 for
/// the sake of programs that use select(2), which nothing here does, and every tunnelled connection takes a
/// descriptor. Where it cannot be raised, accepting and dialling say that there are too few.
void allow_many_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Opens /dev/null in the place of each standard descriptor that is closed. Otherwise the next socket or file
/// would get its number, and what is printed would be sent there.
bool fill_standard_descriptors() {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
    if (::fcntl(descriptor, F_GETFD) != -1) continue;
    if (::open("/dev/null", O_RDWR) != descriptor) return false;  // the lowest that is free (open(2))
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (!fill_standard_descriptors()) return static_cast<int>(sluice::cli::ExitCode::failure);
  // A closed pipe or socket is an error code of the write, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);  // NOLINT(cert-err33-c): SIGPIPE can always be ignored
  allow_many_descriptors();
  try {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    return static_cast<int>(sluice::cli::run(arguments));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sluice: %s\n", error.what());
    return static_cast<int>(sluice::cli::ExitCode::failure);
  }
}
