#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/hub_limits.hpp"
#include "hub/store/message.hpp"

namespace sluice::hub::store {

/// How far each device of a user's has come in their inbox, and so what all of them are done with.
///
/// Pure; a value, read from the store and written back. Bounded by `kMost`. A device that was not used for
/// `kForgottenAfter`, or is one too many and was not used for longest, is forgotten: it holds up nothing any
/// more, and begins anew when it comes back.
class DeviceMarks {
 public:
  /// As many devices as may be connected, and the clients that name none.
  static constexpr std::size_t kMost = limits::kConnectionsPerUser + 1;
  /// A month's holiday.
  static constexpr std::chrono::milliseconds kForgottenAfter = std::chrono::hours{24 * 30};

  struct One {
    std::string device;  ///< Empty: clients that name none.
    Position up_to;
    UnixMs used = 0;

    bool operator==(const One&) const = default;
  };

  DeviceMarks() = default;
  explicit DeviceMarks(std::vector<One> known) : all_(std::move(known)) {}

  /// The device has come so far, if not further before; it is used now. Returns the devices that are
  /// forgotten for it.
  [[nodiscard]] std::vector<std::string> note(std::string_view device, Position up_to, UnixMs now);

  [[nodiscard]] bool empty() const { return all_.empty(); }
  [[nodiscard]] const std::vector<One>& all() const { return all_; }
  [[nodiscard]] std::optional<One> find(std::string_view device) const;
  /// All devices have come so far. Requires one.
  [[nodiscard]] Position done() const;

 private:
  std::vector<One> all_;
};

}  // namespace sluice::hub::store
