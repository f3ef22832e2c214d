#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "wire/hub/message.hpp"

namespace sluice::hub {

/// Keeps one client's answers about each group in the order of its requests.
///
/// A `join` and a `who` are answered by the group's home, a `leave` and most errors at once. A client that
/// joins and leaves in one write must be told `joined` first and `left` second, or it cannot tell which
/// request an answer is for. Pure. Bounded by its owner, which stops reading from the client while
/// `waiting()` is too large.
class GroupAnswers {
 public:
  using Answers = std::vector<wire::hub::FromHub>;

  /// A request was passed on to the group's home, whose answer goes through `arrived`. A home answers one
  /// connection in the order in which it was asked.
  void expect(const std::string& group);
  /// An answer that is known at once. Returns what to say now: the answer, or nothing while an earlier one
  /// is missing; `arrived` returns it then.
  [[nodiscard]] Answers in_turn(const std::string& group, wire::hub::FromHub answer);
  /// The home's answer to the oldest request that is still open. Returns it, and those that waited for it.
  [[nodiscard]] Answers arrived(const std::string& group, wire::hub::FromHub answer);

  /// Requests without an answer, and answers that wait for them.
  [[nodiscard]] std::size_t waiting() const { return waiting_; }

 private:
  /// Empty: the home has not answered yet. The first is always empty.
  using Slot = std::optional<wire::hub::FromHub>;
  std::map<std::string, std::deque<Slot>> slots_;  ///< By group; none is empty.
  std::size_t waiting_ = 0;
};

}  // namespace sluice::hub
