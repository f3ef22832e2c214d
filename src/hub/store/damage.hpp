#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string_view>

#include "core/time.hpp"
#include "hub/store/message.hpp"

namespace sluice::hub::store {

/// Rows that were found damaged: counted, and told in the log once a minute for each conversation.
///
/// Any thread. Bounded: it remembers `limits::kDamagedTold` conversations that it has told of, and tells of
/// no others within that minute; they are counted all the same.
class Damage {
 public:
  /// `what`: "message 3/12", "the conversation's own row".
  void note(const Conversation& of, std::string_view what);
  /// Times that one was met; the same row counts each time that it is read.
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  [[nodiscard]] bool may_tell(const Conversation& of, TimePoint now);

  std::atomic<std::uint64_t> count_ = 0;
  std::mutex mutex_;
  std::map<Conversation, TimePoint> told_;
};

}  // namespace sluice::hub::store
