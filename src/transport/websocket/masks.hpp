#pragma once

#include <array>
#include <cstddef>

#include "transport/websocket/frame.hpp"

namespace sluice::websocket {

/// Masks for a client's frames, each a fresh one that nobody can foresee (RFC 6455 §5.3 and §10.3): from
/// OpenSSL's generator, some at a time. One shard.
class Masks {
 public:
  [[nodiscard]] Mask next();

 private:
  std::array<std::byte, 64 * sizeof(Mask)> drawn_{};
  std::size_t used_ = drawn_.size();
};

}  // namespace sluice::websocket
