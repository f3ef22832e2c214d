#pragma once

#include <optional>

#include "hub/store/message.hpp"
#include "hub/store/row.hpp"
#include "hub/store/row_check.hpp"
#include "hub/store/sqlite.hpp"

/// The rows beside messages and conversations, as the writer and its readers find them.
namespace sluice::hub::store {

/// Of a conversation, for `mark_in` and `begin_in`.
inline constexpr const char* kMarksOf =
    "SELECT conversation, device, epoch, offset, used, sum FROM mark WHERE conversation = ?";
inline constexpr const char* kBeginsOf =
    "SELECT conversation, epoch, first, sum, sum IS NULL FROM history WHERE conversation = ?";

/// How far the device has come on whose row the statement stands. Nothing: the row is not as it was written.
[[nodiscard]] inline std::optional<Position> mark_in(const sqlite::Statement& row) {
  const MarkColumns columns{.conversation = row.integer(0),
                            .device = row.text(1),
                            .epoch = row.integer(2),
                            .offset = row.integer(3),
                            .used = row.integer(4)};
  if (!is_sound(columns) || checksum_of(columns) != row.integer(5)) return std::nullopt;
  return as_position(columns.epoch, columns.offset);
}

/// Where the epoch begins on whose row the statement stands. Nothing: the row is not as it was written. One
/// that was taken over from an earlier version is held against its range alone.
[[nodiscard]] inline std::optional<Position> begin_in(const sqlite::Statement& row) {
  const HistoryColumns columns{
      .conversation = row.integer(0), .epoch = row.integer(1), .first = row.integer(2)};
  const bool has_sum = row.integer(4) == 0;
  if (!is_sound(columns) || (has_sum && checksum_of(columns) != row.integer(3))) return std::nullopt;
  return as_position(columns.epoch, columns.first);
}

}  // namespace sluice::hub::store
