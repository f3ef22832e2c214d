#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace sluice::hub::service {

/// Clients that have not been welcomed yet, in all and from each address, so that one who never says Hello
/// does not keep the others out.
///
/// Any thread. Bounded by connections. This machine's own addresses count in the total alone: a proxy there
/// brings everybody's.
class Greetings {
 public:
  void begin(std::string_view address);
  void end(std::string_view address);  ///< Requires its `begin`.

  [[nodiscard]] std::size_t all() const;
  [[nodiscard]] std::size_t from(std::string_view address) const;

 private:
  mutable std::mutex mutex_;
  std::size_t all_ = 0;
  std::unordered_map<std::string, std::size_t> from_;
};

}  // namespace sluice::hub::service
