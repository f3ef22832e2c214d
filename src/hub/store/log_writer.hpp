#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "hub/store/damage.hpp"
#include "hub/store/device_marks.hpp"
#include "hub/store/expiry_clock.hpp"
#include "hub/store/id_log.hpp"
#include "hub/store/message.hpp"
#include "hub/store/sender_shares.hpp"
#include "hub/store/sqlite.hpp"

namespace sluice::hub::store {

/// What goes into one transaction.
struct Batch {
  std::vector<Append> appends{};
  std::vector<Mark> acknowledged{};
  std::optional<ClockRecord> clock{};  ///< To be written down with the rest.

  /// Nobody waits for it.
  [[nodiscard]] bool empty() const { return appends.empty() && acknowledged.empty(); }
};

/// What a transaction has done.
struct Applied {
  std::vector<std::size_t>
      misplaced{};                     ///< Of the appends: not behind their conversation's head, not stored.
  std::vector<std::size_t> damaged{};  ///< The same: what they need of the file cannot be read.
  std::uint64_t acknowledgements = 0;
  Removed removed{};
  std::uint64_t removed_rows = 0;
  std::uint64_t forgotten = 0;
  std::int64_t recounted = 0;  ///< By how many rows a conversation was wrong about itself.
  bool more = false;  ///< There is more to remove than one transaction may: apply an empty batch soon.
};

struct LogWriterOptions {
  RetentionOf retention;
  Bytes bound;
  std::size_t conversations;
  std::chrono::milliseconds grace;  ///< From an acknowledgement to the removal.
  Damage* damage = nullptr;         ///< Told of what is found; outlives the writer.
};

/// Carries batches out on the database: stores, marks what was acknowledged, removes what may or must go.
///
/// One thread, which waits for the disk here. All or nothing: after an error the database is as it was.
/// A removal is a slice (`limits::kRemovalSlice`) of each transaction, so none takes long; what a slice
/// leaves over is remembered in the database, also beyond a crash. When the grace of what was acknowledged
/// ends is known here alone, for as many conversations as are in one: after a crash, or an error, it begins
/// anew.
///
/// What comes from the file is checked as input is. A conversation's row that is damaged is made again from
/// its messages, a message without a conversation is removed. Where the file itself cannot be read
/// (`malformed`), the batch is carried out again without removals and each append by itself, so that only
/// those fail that need the damaged page. The indexes are then made anew, once in `limits::kReindexEvery`: a
/// message whose row does not agree with them could not be removed. Where that does not help either, removals
/// pause for `limits::kRemovalPause`.
class LogWriter {
 public:
  [[nodiscard]] static Result<LogWriter> prepare(sqlite::Database& database, LogWriterOptions options);

  /// `now`: by the store's clock, for ages and what has expired. Errors: `limit_exceeded` (disk or bound
  /// full), `io` and the others of `sqlite::Database`.
  [[nodiscard]] Result<Applied> apply(const Batch& batch, UnixMs now);
  /// Whether an empty batch would do anything.
  [[nodiscard]] Result<bool> has_work(UnixMs now);
  /// Other bounds, from the next call on: what is over them goes as ever, a slice with each transaction.
  void set_bounds(Bytes bound, std::size_t conversations);
  [[nodiscard]] Bytes bound() const { return options_.bound; }
  /// Writes and syncs one page, to see whether the disk takes it.
  [[nodiscard]] Status probe();

 private:
  struct Row {
    std::int64_t id = 0;
    Conversation conversation;
    Position head{};
    Position seen{};
    std::uint64_t count = 0;
    std::uint64_t bytes = 0;
    bool owes = false;
    bool changed = false;
  };
  /// A pass over the whole store, from its oldest row, for what may be evicted.
  struct Eviction {
    std::int64_t looked_up_to = 0;  ///< Rows up to it were protected when they were looked at.
    bool has_freed = false;         ///< In this pass.
    bool spares_nobody = false;     ///< The pass before freed nothing, and the store is still too full.
  };
  /// What a transaction has looked at; a row's place does not move.
  struct Work {
    UnixMs now = 0;
    std::map<Conversation, std::int64_t> ids{};
    std::unordered_map<std::int64_t, Row> rows{};
    std::unordered_map<std::int64_t, DeviceMarks> marks{};  ///< Of inboxes in which one has moved.
    std::size_t budget = 0;                                 ///< Rows that may still be removed.
    Eviction eviction{};
    bool hurries = false;   ///< It removes more than a slice.
    std::size_t looks = 0;  ///< At protected rows, that have not been charged yet.
    std::size_t new_conversations = 0;
    std::size_t tallies = 0;  ///< Inboxes whose senders it has counted.
    std::vector<StoredId> stored{};
    Applied applied{};
  };
  struct Old {
    std::int64_t seq;
    std::int64_t conversation;
    std::uint64_t size;
    Position position;
    SenderShares::Sender sender;
  };
  struct Statements {
    sqlite::Statement begin, commit, rollback;
    sqlite::Statement find_row, find_row_by_id, insert_row, update_row, owing;
    sqlite::Statement begin_epoch, merge_epochs, forget_history;
    sqlite::Statement insert, remove, oldest_of, oldest, expired, any_expired;
    sqlite::Statement next_of, senders_of, census, last_row;
    sqlite::Statement pages, free_pages, raise_floor, oldest_empty, forget;
    sqlite::Statement marks_of, begins_of, write_mark, forget_mark, forget_marks;
    sqlite::Statement newest_of, sums_of, floor, record_clock;
    sqlite::Statement begin_one, end_one, undo_one, reindex;
  };

  /// What was acknowledged of a conversation and is still there.
  struct Plan {
    UnixMs due = 0;   ///< When it goes,
    Position mark{};  ///< up to there.
  };
  enum class Pressure : std::uint8_t { no, yes };

  LogWriter(LogWriterOptions options, Statements statements, std::size_t conversations, IdLog ids);

  [[nodiscard]] Result<Applied> attempt(const Batch& batch, UnixMs now);
  [[nodiscard]] Result<Applied> attempt_each(const Batch& batch, UnixMs now);
  [[nodiscard]] Status carry_out(const Batch& batch, Work& work);
  [[nodiscard]] Status carry_out_each(const Batch& batch, Work& all);
  [[nodiscard]] Result<Applied> finish(Work& work, Status done);
  template <typename Step>
  [[nodiscard]] Result<bool> alone(Work& all, Step&& step);
  void pause_removal(UnixMs now, const Error& why);
  void make_indexes_anew(UnixMs now);
  [[nodiscard]] bool removes(UnixMs now) const { return now >= removal_from_; }
  [[nodiscard]] Result<Row*> row_of(const Conversation& conversation, Work& work);
  [[nodiscard]] Result<Row*> made_row_of(const Conversation& conversation, Work& work);
  [[nodiscard]] Result<Row*> row_by_id(std::int64_t id, Work& work);
  [[nodiscard]] Result<Row*> keep(sqlite::Statement& from, const Conversation* asked, Work& work);
  [[nodiscard]] Status repair(Row& row);
  [[nodiscard]] Result<Position> furthest(std::int64_t id);
  [[nodiscard]] Status recount(Row& row);
  [[nodiscard]] Status append(const Append& append, std::size_t index, Work& work);
  [[nodiscard]] Status note_epoch(const Row& row, std::uint64_t epoch);
  [[nodiscard]] Status acknowledge(const Mark& mark, Work& work);
  static void settle_marks(Work& work);
  static void done_with(Row& row, Position up_to);
  [[nodiscard]] Result<DeviceMarks> marks_of(const Row& row, const Work& work);
  [[nodiscard]] Status write_mark(const Row& row, const DeviceMarks::One& mark);
  [[nodiscard]] Status note_mark(DeviceMarks& marks, const Row& row, const Mark& mark, Work& work);
  [[nodiscard]] Result<bool> finds_work(UnixMs now);
  [[nodiscard]] Status remove_what_must_go(Work& work);
  [[nodiscard]] Status trim(Row& row, Work& work, Pressure pressure = Pressure::no);
  [[nodiscard]] Status trim_fairly(Row& row, Work& work);
  [[nodiscard]] Result<SenderShares::Inbox*> senders_of(const Row& row, Work& work);
  [[nodiscard]] Status begin_census();
  [[nodiscard]] Status take_census();
  [[nodiscard]] Status trim_touched(Work& work);
  [[nodiscard]] Status trim_owing(Work& work);
  [[nodiscard]] Status expire(Work& work);
  [[nodiscard]] Status evict(Work& work);
  [[nodiscard]] Result<bool> evict_some(Work& work, std::size_t look, Pressure pressure);
  static void charge_look(Work& work);
  [[nodiscard]] Status forget(Work& work);
  [[nodiscard]] Status remove(const Old& old, Removal why, Work& work);
  [[nodiscard]] Result<std::vector<Old>> collect(sqlite::Statement& statement, Result<bool> row) const;
  [[nodiscard]] Status write_rows(Work& work);
  [[nodiscard]] Result<Bytes> used();
  [[nodiscard]] Status know_plans(UnixMs now);
  void plan(std::int64_t conversation, Plan plan);
  void drop_plan(std::int64_t conversation);

  LogWriterOptions options_;
  Statements on_;
  std::size_t conversations_;
  IdLog ids_;
  UnixMs removal_from_ = 0;
  UnixMs reindex_from_ = 0;
  std::unordered_map<std::int64_t, Plan> plans_;   ///< Of each conversation that owes, once they are known.
  std::set<std::pair<UnixMs, std::int64_t>> due_;  ///< The same, in their order.
  bool plans_known_ = false;
  SenderShares shares_;
  bool census_begun_ = false;
  Eviction eviction_;
};

}  // namespace sluice::hub::store
