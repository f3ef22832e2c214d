#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace sluice::hub {

/// Which of its members has the most of something, where each change is by one.
///
/// Pure; every call takes constant time. Members are small numbers that their owner gives out and uses again:
/// it holds 12 bytes for each, up to the highest, and 4 for each count up to the highest there ever was.
class Ranking {
 public:
  void raise(std::uint32_t member);
  /// Requires: the member has something.
  void lower(std::uint32_t member);
  [[nodiscard]] std::uint32_t count_of(std::uint32_t member) const;
  /// One of those that have the most; nothing: nobody has anything.
  [[nodiscard]] std::optional<std::uint32_t> largest() const;

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  struct Node {
    std::uint32_t count = 0;
    std::uint32_t before = kNone;  ///< Its neighbours among those with the same count.
    std::uint32_t after = kNone;
  };
  void link(std::uint32_t member);
  void unlink(std::uint32_t member);

  std::vector<Node> nodes_;
  std::vector<std::uint32_t> heads_{kNone};  ///< By count: the first member that has it.
  std::uint32_t most_ = 0;                   ///< The highest count of any member.
};

}  // namespace sluice::hub
