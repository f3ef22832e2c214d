#pragma once

#include <cstdint>

namespace sluice::websocket {

/// A descriptor that is kept for the time when the system has no other: with it connections that wait are
/// accepted and closed, so that their clients hear of it instead of hanging.
///
/// Owned by one listener.
class SpareDescriptor {
 public:
  SpareDescriptor();
  SpareDescriptor(SpareDescriptor&& other) noexcept;
  SpareDescriptor& operator=(SpareDescriptor&&) = delete;
  ~SpareDescriptor();

  /// Accepts and closes at most so many of those that wait at a listening socket. Returns how many. None
  /// where there is no spare one now; then it looks for one.
  std::uint64_t close_some(int listening, int most);

 private:
  void open();

  int spare_ = -1;
};

}  // namespace sluice::websocket
