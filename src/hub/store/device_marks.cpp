#include "hub/store/device_marks.hpp"

#include <algorithm>
#include <utility>

#include "core/ensure.hpp"

namespace sluice::hub::store {

std::vector<std::string> DeviceMarks::note(std::string_view device, Position up_to, UnixMs now) {
  if (const auto known = std::ranges::find(all_, device, &One::device); known != all_.end()) {
    known->up_to = std::max(known->up_to, up_to);
    known->used = std::max(known->used, now);
  } else {
    all_.push_back({.device = std::string{device}, .up_to = up_to, .used = now});
  }
  std::vector<std::string> forgotten;
  const auto forget = [&](std::vector<One>::iterator which) {
    forgotten.push_back(std::move(which->device));
    all_.erase(which);
  };
  const auto longest_unused = [&] { return std::ranges::min_element(all_, {}, &One::used); };
  while (all_.size() > kMost) forget(longest_unused());
  for (auto which = longest_unused(); now - which->used >= kForgottenAfter.count(); which = longest_unused())
    forget(which);
  return forgotten;
}

std::optional<DeviceMarks::One> DeviceMarks::find(std::string_view device) const {
  const auto known = std::ranges::find(all_, device, &One::device);
  return known == all_.end() ? std::nullopt : std::optional{*known};
}

Position DeviceMarks::done() const {
  ENSURE(!all_.empty());
  return std::ranges::min(all_, {}, &One::up_to).up_to;
}

}  // namespace sluice::hub::store
