#pragma once

#include <cstdint>
#include <string_view>

#include "core/hub_limits.hpp"
#include "hub/store/expiry_clock.hpp"

/// What a row is held against when it is read: a disk gives back other bytes than it was given, now and then.
namespace sluice::hub::store {

/// All columns of a row of `message` but `seq`, as SQLite has them.
struct MessageColumns {
  std::int64_t conversation = 0;
  std::int64_t epoch = 0;
  std::int64_t offset = 0;
  std::int64_t goes_at = 0;
  std::int64_t size = 0;
  std::int64_t sent_at = 0;
  std::int64_t expires_at = 0;
  std::int64_t flags = 0;
  std::string_view sender{};
  std::string_view id{};
  std::string_view key{};
  std::string_view content{};
};

/// The columns of a row of `conversation` that nothing else can be told from. `touched` and `owes` only
/// decide when something is done.
struct ConversationColumns {
  std::int64_t id = 0;
  std::int64_t kind = 0;
  std::string_view name{};
  std::int64_t head_epoch = 0;
  std::int64_t head_offset = 0;
  std::int64_t seen_epoch = 0;
  std::int64_t seen_offset = 0;
  std::int64_t count = 0;
  std::int64_t bytes = 0;
};

/// All columns of a row of `mark`.
struct MarkColumns {
  std::int64_t conversation = 0;
  std::string_view device{};
  std::int64_t epoch = 0;
  std::int64_t offset = 0;
  std::int64_t used = 0;
};

/// All columns of a row of `history`.
struct HistoryColumns {
  std::int64_t conversation = 0;
  std::int64_t epoch = 0;
  std::int64_t first = 0;
};

/// 64 bits of SipHash over all of it, under a key that is no secret: it finds accidents, not forgeries.
[[nodiscard]] std::int64_t checksum_of(const MessageColumns& row);
[[nodiscard]] std::int64_t checksum_of(const ConversationColumns& row);
[[nodiscard]] std::int64_t checksum_of(const MarkColumns& row);
[[nodiscard]] std::int64_t checksum_of(const HistoryColumns& row);
[[nodiscard]] std::int64_t checksum_of(const ClockRecord& row);
[[nodiscard]] std::int64_t checksum_of(std::string_view bytes);

/// Whether each column holds what it may, so that nothing that follows trips over it: positions and flags in
/// their ranges, names as names are, text in UTF-8. This is all that is known of rows without a checksum.
[[nodiscard]] bool is_sound(const MessageColumns& row);
[[nodiscard]] bool is_sound(const ConversationColumns& row);
[[nodiscard]] bool is_sound(const MarkColumns& row);
[[nodiscard]] bool is_sound(const HistoryColumns& row);

/// SQL for meta's `floor`, which has no checksum. A value that no conversation can have reached stands for a
/// damaged one: 2^40 is taken instead, which none has reached either, so that no position is given out twice.
inline constexpr const char* kSoundFloor =
    "(SELECT CASE WHEN value BETWEEN 0 AND (1 << 61) THEN value ELSE (1 << 40) END FROM meta WHERE name = "
    "'floor')";
static_assert(limits::kMaxPosition > std::uint64_t{1} << 61);

}  // namespace sluice::hub::store
