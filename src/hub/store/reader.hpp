#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "hub/store/acknowledgements.hpp"
#include "hub/store/damage.hpp"
#include "hub/store/epoch.hpp"
#include "hub/store/message.hpp"
#include "hub/store/sqlite.hpp"

namespace sluice::hub::store {

/// One shard's view of what is stored: a read-only connection of its own.
///
/// One thread; synchronous, and never held up by a commit. It sees everything whose completion has been
/// handed over. Its store outlives it. Errors of all: `malformed` (the file is damaged), `io`, `busy`.
class Reader {
 public:
  struct Source {
    std::filesystem::path database;
    const KnownEpochs& epochs;                 ///< Of the store.
    const Acknowledgements& acknowledgements;  ///< Those that are not stored yet.
    Damage* damage = nullptr;                  ///< Told of what is found damaged.
  };
  [[nodiscard]] static Result<Reader> open(Source source);

  /// Of the last message that the conversation has stored, whether it is still there or not. None: the
  /// present epoch and the offset behind which it begins, 0 unless conversations have been forgotten.
  [[nodiscard]] Result<Position> head(const Conversation& of);
  /// Where each epoch of the conversation begins: the offset of the first message that it numbered and
  /// stored, or that it lost before that. In order; of more than `limits::kRememberedEpochs` in which
  /// something was stored the first and the last ones.
  [[nodiscard]] Result<std::vector<Position>> history(const Conversation& of);
  /// Whether the store has had this epoch.
  [[nodiscard]] bool knows(std::uint64_t epoch) const { return source_.epochs.contains(epoch); }
  /// What is there of a stretch, from its beginning. Messages that have expired may still be among it. A row
  /// that is not as it was written counts as one message and is told as damaged.
  [[nodiscard]] Result<Page> page(const Conversation& of, Span span, PageLimits limits);
  /// Up to where a device has acknowledged its user's inbox; of clients that name no device, and nothing was
  /// acknowledged yet: epoch 0 and offset 0. A device that is not known begins in front of all that is kept.
  [[nodiscard]] Result<Position> acknowledged(const Conversation& inbox, std::string_view device = {});
  /// Counts all rows and compares with what the conversations say. Errors besides: `malformed`, with the
  /// difference. Takes a second for each million rows.
  [[nodiscard]] Result<std::uint64_t> counted_rows();

 private:
  struct Statements {
    sqlite::Statement begin, end, conversation, floor, history, begins, first, last, page, mark, marks, sums;
  };
  struct Known {
    std::int64_t id;
    Position head;
    Position seen;
  };

  Reader(Source source, sqlite::Database database, Statements statements);
  /// Id 0: it has stored nothing.
  [[nodiscard]] Result<Known> look_up(const Conversation& conversation);
  [[nodiscard]] Result<std::optional<Position>> first_of(const Known& known);
  /// Nothing: there is none, or it is damaged, which is like a device that is not known.
  [[nodiscard]] Result<std::optional<Position>> mark_of(const Known& known, const Conversation& inbox,
                                                        std::string_view device);
  /// From what there is of its messages, where its own row is damaged.
  [[nodiscard]] Result<Known> rebuilt(std::int64_t id);
  [[nodiscard]] Result<Position> furthest(std::int64_t id);
  [[nodiscard]] Result<Position> floor();
  /// Nothing: the row that `page` stands on is damaged.
  [[nodiscard]] std::optional<StoredMessage> message_in_row(std::int64_t conversation,
                                                            const Conversation& to);
  [[nodiscard]] Result<Page> read_page(const Conversation& of, const Span& span, PageLimits limits);

  Source source_;
  sqlite::Database database_;
  Statements on_;
};

}  // namespace sluice::hub::store
