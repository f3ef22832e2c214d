#include "transport/websocket/masks.hpp"

#include <algorithm>

#include <openssl/rand.h>

#include "core/ensure.hpp"

namespace sluice::websocket {

Mask Masks::next() {
  if (used_ == drawn_.size()) {
    ENSURE(RAND_bytes(reinterpret_cast<unsigned char*>(drawn_.data()), static_cast<int>(drawn_.size())) == 1);
    used_ = 0;
  }
  Mask mask{};
  std::copy_n(drawn_.begin() + static_cast<std::ptrdiff_t>(used_), mask.size(), mask.begin());
  used_ += mask.size();
  return mask;
}

}  // namespace sluice::websocket
