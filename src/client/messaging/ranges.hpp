#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace sluice::messaging {

/// Offsets from `first` to `last`, both included.
struct Range {
  std::uint64_t first = 0;
  std::uint64_t last = 0;

  bool operator==(const Range&) const = default;
};

/// A set of offsets as its ranges, in order, which never touch. Bounded: what would be one range more than
/// `most` is not taken.
class Ranges {
 public:
  explicit Ranges(std::size_t most) : most_(most) {}

  /// False: there was no room, and nothing changed.
  bool add(Range range);
  /// Takes out what is in there of it. Where that would be one range too many, all behind it goes too.
  void remove(Range range);
  [[nodiscard]] bool contains(std::uint64_t offset) const;
  [[nodiscard]] std::optional<Range> front() const;
  [[nodiscard]] bool empty() const { return ranges_.empty(); }
  void clear() { ranges_.clear(); }

 private:
  std::size_t most_;
  std::vector<Range> ranges_;
};

}  // namespace sluice::messaging
