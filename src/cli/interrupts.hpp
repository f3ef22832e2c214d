#pragma once

#include <signal.h>

namespace sluice::cli {

/// SIGINT and SIGTERM as something that a wait can look at, so that what was begun can be undone first.
///
/// While it lives, this thread leaves both signals in a descriptor (signalfd(2)) instead of ending by them;
/// they are forgotten when it goes. For a command with one thread and no event loop. A program that is
/// started meanwhile inherits the blocked signals and has to unblock them, as `ChildProcess` does.
class Interrupts {
 public:
  Interrupts();  ///< Throws `std::system_error` when the system has no descriptor left.
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  /// Readable as soon as one came, and from then on: it is for poll(2), not for reading.
  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] bool came() const;

 private:
  int descriptor_;
  sigset_t before_{};
};

}  // namespace sluice::cli
