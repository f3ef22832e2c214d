#include "crypto/random.hpp"

#include <sodium.h>

#include "core/ensure.hpp"
#include "crypto/sodium.hpp"

namespace sluice::crypto {

void fill_random(ByteSpan out) {
  start_sodium();
  randombytes_buf(out.data(), out.size());
}

std::uint32_t random_below(std::uint32_t limit) {
  ENSURE(limit != 0);
  start_sodium();
  return randombytes_uniform(limit);
}

}  // namespace sluice::crypto
