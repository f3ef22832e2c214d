#include "core/ensure.hpp"

#include <cstdio>
#include <cstdlib>

namespace sluice {

void ensure_failed(const char* condition, const std::source_location& where) {
  std::fprintf(stderr, "sluice: broken invariant (%s) at %s:%u in %s\n", condition, where.file_name(),
               static_cast<unsigned>(where.line()), where.function_name());
  std::abort();
}

}  // namespace sluice
