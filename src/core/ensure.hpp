#pragma once

#include <source_location>

namespace sluice {

/// Says on stderr which invariant was broken, and where, then aborts.
[[noreturn]] void ensure_failed(const char* condition, const std::source_location& where);

}  // namespace sluice

/// An invariant of our own that must hold, in release builds too. What a peer, a user or the system can cause
/// is an Error instead: input must never reach this.
#define ENSURE(condition)                                                   \
  do {                                                                      \
    if (!(condition)) [[unlikely]]                                          \
      ::sluice::ensure_failed(#condition, std::source_location::current()); \
  } while (false)
