#include "api/descriptor_plan.hpp"

#include <algorithm>
#include <filesystem>
#include <sys/resource.h>
#include <system_error>

namespace sluice::api {

DescriptorPlan plan_descriptors(const DescriptorNeeds& needs) {
  const std::size_t free = needs.limit - std::min(needs.limit, needs.open);
  const std::size_t reserve = std::min(limits::kReservedDescriptors, free / 4);
  const std::size_t left = free - reserve;
  const std::size_t most =
      left / limits::kSessionDescriptorsPart / std::max<std::size_t>(needs.per_session, 1);
  const std::size_t sessions = std::clamp<std::size_t>(most, 1, needs.sessions);
  return {.sessions = sessions, .streams = left - std::min(left, sessions * needs.per_session)};
}

DescriptorNeeds descriptors_now() {
  DescriptorNeeds now;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) now.limit = limit.rlim_cur;
  std::error_code none;
  for (std::filesystem::directory_iterator each{"/proc/self/fd", none}, end; !none && each != end;
       each.increment(none))
    ++now.open;
  return now;
}

}  // namespace sluice::api
