#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "hub/store/message.hpp"
#include "hub/store/preparing.hpp"
#include "hub/store/sqlite.hpp"

namespace sluice::hub::store {

/// The ids of the messages that were stored last, for the run after a restart: it has to know a second copy
/// also where the first one was acknowledged, trimmed or has expired meanwhile.
///
/// One row of 48 bytes a message for each commit, written with it, so they cost little beside the messages
/// (./dev bench store) and nothing that asks for them: they are read once, at the start. Bounded in ids; the
/// oldest row goes first, but of a row that goes early the ids of senders with less than half an equal part
/// are kept, as one more row among the `kept`. So nobody flushes another's, and no id is moved twice. One
/// thread, the store's. What a transaction has changed takes effect here with `committed`, or not at all.
class IdLog {
 public:
  struct Limits {
    std::size_t ids;
    std::chrono::milliseconds age;
  };
  [[nodiscard]] static Result<IdLog> open(sqlite::Database& database, Limits limits);

  /// Inside a transaction, before anything else of it: the one before has come to its end.
  [[nodiscard]] Status add(const std::vector<StoredId>& ids, UnixMs now);
  void committed();
  void set_most(std::size_t ids) { limits_.ids = ids; }
  [[nodiscard]] std::size_t size() const { return ids_; }

  /// Those that are not older than `limits.age` at `now`, the oldest first. A damaged row is passed over.
  [[nodiscard]] static Result<std::vector<RememberedId>> read(sqlite::Database& database,
                                                              std::chrono::milliseconds age, UnixMs now);

 private:
  struct Statements {
    sqlite::Statement insert, find, remove;
  };
  /// A row of the table.
  struct Segment {
    std::int64_t row;
    UnixMs at;
    std::size_t ids;
  };
  /// What a transaction does, until it is committed.
  struct Changes {
    std::vector<Segment> fresh{};
    std::vector<Segment> kept{};
    std::size_t fresh_gone = 0;
    std::size_t kept_gone = 0;
    std::int64_t ids = 0;
    std::vector<std::pair<std::uint64_t, int>> senders{};
  };
  enum class Place : std::uint8_t { fresh, kept };

  IdLog(Limits limits, Statements statements) : limits_(limits), on_(std::move(statements)) {}
  [[nodiscard]] Status load(sqlite::Database& database);
  [[nodiscard]] Result<Segment> insert(const std::vector<StoredId>& ids, UnixMs at, Place place);
  enum class Leaving : std::uint8_t { nothing, few_of_many };
  [[nodiscard]] Status remove(const Segment& segment, Leaving leaving);
  [[nodiscard]] Status make_room(UnixMs now);

  Limits limits_;
  Statements on_;
  std::deque<Segment> fresh_;
  std::deque<Segment> kept_;
  std::size_t ids_ = 0;
  std::unordered_map<std::uint64_t, std::uint32_t> senders_;  ///< How many ids each has.
  Changes changes_;
};

}  // namespace sluice::hub::store
