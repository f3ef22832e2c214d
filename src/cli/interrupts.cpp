#include "cli/interrupts.hpp"

#include <cerrno>
#include <poll.h>
#include <sys/signalfd.h>
#include <system_error>
#include <unistd.h>

namespace sluice::cli {
namespace {

sigset_t interrupting() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGINT);
  ::sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

Interrupts::Interrupts() {
  const sigset_t set = interrupting();
  descriptor_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (descriptor_ == -1) throw std::system_error(errno, std::generic_category(), "cannot watch for signals");
  ::pthread_sigmask(SIG_BLOCK, &set, &before_);
}

Interrupts::~Interrupts() {
  signalfd_siginfo taken;
  while (::read(descriptor_, &taken, sizeof taken) > 0) {
  }
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  ::close(descriptor_);
}

bool Interrupts::came() const {
  pollfd ready{.fd = descriptor_, .events = POLLIN, .revents = 0};
  return ::poll(&ready, 1, 0) > 0;
}

}  // namespace sluice::cli
