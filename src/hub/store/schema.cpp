#include "hub/store/schema.hpp"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/hub_limits.hpp"
#include "hub/store/row_check.hpp"
#include "observe/log.hpp"

namespace sluice::hub::store {
namespace {

using sqlite::Database;

constexpr std::int64_t kApplication = 0x534c4342;  // "SLCB", to tell it from other programs' databases
constexpr std::int64_t kVersion = 2;

/// `message.seq` is the order of arrival, so that the oldest of all are found at the front. `goes_at` is the
/// end of its own time or of its conversation's age, whichever comes first. `owes`: some of it is to be
/// removed, later or as soon as a commit may. `seen` is what was acknowledged; of epoch 0:
/// nothing, and where it began. `touched` is the time of the last change.
constexpr const char* kTables = R"(
  CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  INSERT INTO meta VALUES ('epoch', 0), ('floor', 0);
  CREATE TABLE secret (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
  CREATE TABLE conversation (
    id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, name TEXT NOT NULL,
    head_epoch INTEGER NOT NULL, head_offset INTEGER NOT NULL,
    seen_epoch INTEGER NOT NULL, seen_offset INTEGER NOT NULL,
    count INTEGER NOT NULL, bytes INTEGER NOT NULL, touched INTEGER NOT NULL, owes INTEGER NOT NULL);
  CREATE UNIQUE INDEX conversation_name ON conversation (kind, name);
  CREATE INDEX conversation_owing ON conversation (id) WHERE owes = 1;
  CREATE INDEX conversation_empty ON conversation (touched) WHERE count = 0;
  CREATE TABLE message (
    seq INTEGER PRIMARY KEY, conversation INTEGER NOT NULL, epoch INTEGER NOT NULL, offset INTEGER NOT NULL,
    goes_at INTEGER NOT NULL, size INTEGER NOT NULL, sent_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    flags INTEGER NOT NULL, sender TEXT NOT NULL, id TEXT NOT NULL, key TEXT NOT NULL, content TEXT NOT NULL);
  CREATE UNIQUE INDEX message_position ON message (conversation, epoch, offset);
  CREATE INDEX message_goes ON message (goes_at);
)";

/// What version 2 adds. `mark` is how far each device has come in an inbox (`DeviceMarks`), and when it was
/// used last; empty: clients that name none, once there is another. `opening` is which epochs the store has
/// had; up to meta's `assumed` they are not written down. `history` is where each epoch of a conversation
/// begins: its first offset. `sum` is a row's checksum (`row_check.hpp`), none where it was taken over.
/// Earlier versions counted openings from 1 and kept no history: what there still is of their messages says
/// as much of it as there is.
constexpr const char* kFromVersion1 = R"(
  CREATE TABLE mark (
    conversation INTEGER NOT NULL, device TEXT NOT NULL, epoch INTEGER NOT NULL, offset INTEGER NOT NULL,
    used INTEGER NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY (conversation, device)) WITHOUT ROWID;
  CREATE TABLE opening (epoch INTEGER PRIMARY KEY);
  INSERT INTO meta SELECT 'assumed', value FROM meta WHERE name = 'epoch';
  CREATE TABLE history (
    conversation INTEGER NOT NULL, epoch INTEGER NOT NULL, first INTEGER NOT NULL, sum INTEGER,
    PRIMARY KEY (conversation, epoch)) WITHOUT ROWID;
  INSERT INTO history SELECT conversation, epoch, min(offset), NULL FROM message GROUP BY conversation, epoch;
  INSERT OR IGNORE INTO history SELECT id, head_epoch, head_offset, NULL FROM conversation;
)";

/// What it adds besides. `sum` is a row's checksum (`row_check.hpp`); rows of earlier versions have
/// none. `recent` is the log of ids (`id_log.hpp`), meta's `time` and `wall` what `ExpiryClock` goes on from,
/// with a checksum.
constexpr const char* kChecksAndIds = R"(
  ALTER TABLE message ADD COLUMN sum INTEGER;
  ALTER TABLE conversation ADD COLUMN sum INTEGER;
  CREATE TABLE recent (
    seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, kept INTEGER NOT NULL, sum INTEGER NOT NULL,
    ids BLOB NOT NULL);
  INSERT INTO meta VALUES ('time', 0), ('wall', 0), ('clock_sum', 0);
)";

/// An error of the file's as one that names it and says what to do.
Error about(const Folder& folder, Error error) {
  const std::string file = folder.database().string();
  if (error.code == Errc::malformed) {
    return std::move(error).as_cause_of(
        Errc::malformed,
        file +
            " is damaged, or no database of a hub. Move it away to begin with an empty one, or "
            "restore a backup");
  }
  const Errc code = error.code;
  return std::move(error).as_cause_of(code, "Cannot open the hub's database " + file);
}

Status set_up_connection(Database& database, const Folder& folder, Bytes bound) {
  // Only what survives the process has to be on a disk. Debian's SQLite overwrites what is deleted even where
  // that costs a write of its own; FAST does so where the page is written anyway.
  const std::string synchronous = folder.is_temporary() ? "OFF" : "FULL";
  auto set =
      database.execute("PRAGMA synchronous = " + synchronous +
                       "; PRAGMA secure_delete = FAST; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -" +
                       std::to_string(limits::kWriterCache.count() / 1024) + ";");
  return set ? bound_file(database, bound) : set;
}

/// 0: the file is empty.
Result<std::int64_t> version_of(Database& database) {
  const auto tables = database.figure("SELECT count(*) FROM sqlite_schema");
  if (!tables) return tables;
  const auto application = database.figure("PRAGMA application_id");
  if (!application) return application;
  const auto version = database.figure("PRAGMA user_version");
  if (!version) return version;
  if (*tables == 0 && *application == 0 && *version == 0) return 0;
  if (*application != kApplication) return fail(Errc::malformed, "it belongs to another program");
  if (*version > kVersion) {
    return fail(Errc::unsupported, "it was made by a later version of Sluice (schema " +
                                       std::to_string(*version) + ", this one knows " +
                                       std::to_string(kVersion) + ")");
  }
  return version;
}

/// From the version that the file has to the present one, in one transaction; 0: from nothing.
Status bring_up_to_date(Database& database, std::int64_t version) {
  if (version == kVersion) return {};
  std::string changes = "BEGIN IMMEDIATE;";
  if (version < 1)
    changes += std::string{kTables} + "PRAGMA application_id = " + std::to_string(kApplication) + ";";
  if (version < 2) changes += std::string{kFromVersion1} + kChecksAndIds;
  auto made = database.execute(changes + "PRAGMA user_version = " + std::to_string(kVersion) + "; COMMIT;");
  if (!made) std::ignore = database.execute("ROLLBACK");
  return made;
}

Status check_table(Database& database, const std::string& check) {
  const auto found = database.text("PRAGMA " + check);
  if (!found) return fail(found.error());
  if (*found != "ok") return fail(Errc::malformed, *found);
  return {};
}

Status check_whole(Database& database) {
  const auto pages = database.figure("PRAGMA page_count");
  if (!pages) return fail(pages.error());
  if (static_cast<std::uint64_t>(*pages) * 4096 <= limits::kCheckedStore.count())
    return check_table(database, "quick_check(1)");
  for (const char* check : {"quick_check('meta')", "quick_check('secret')", "quick_check('conversation')"}) {
    if (auto whole = check_table(database, check); !whole) return whole;
  }
  return {};
}

/// `present` is the last of them, whatever else the file says.
Result<KnownEpochs> known_epochs(Database& database, std::uint64_t present) {
  const auto assumed = database.figure("SELECT value FROM meta WHERE name = 'assumed'");
  if (!assumed) return fail(assumed.error());
  auto all = database.prepare("SELECT epoch FROM opening WHERE epoch BETWEEN 1 AND " +
                              std::to_string(present - 1) + " ORDER BY epoch");
  if (!all) return fail(std::move(all.error()));
  std::vector<std::uint64_t> openings;
  auto row = all->first();
  for (; row && *row; row = all->next()) openings.push_back(static_cast<std::uint64_t>(all->integer(0)));
  if (!row) return fail(std::move(row.error()));
  openings.push_back(present);
  return KnownEpochs{std::move(openings), static_cast<std::uint64_t>(*assumed)};
}

Result<KnownEpochs> begin_epoch(Database& database, Opening opening) {
  const auto last = database.figure("SELECT value FROM meta WHERE name = 'epoch'");
  if (!last) return fail(last.error());
  const std::uint64_t epoch =
      next_epoch({.last = static_cast<std::uint64_t>(*last), .now = opening.now, .random = opening.random});
  if (epoch > limits::kMaxPosition) return fail(Errc::malformed, "its epoch is past every epoch");
  const std::string number = std::to_string(epoch);
  // Those beyond the bound are no longer told apart.
  const std::string forgotten = "(SELECT epoch FROM opening ORDER BY epoch DESC LIMIT 1 OFFSET " +
                                std::to_string(limits::kRememberedOpenings) + ")";
  auto begun = database.execute(
      // One that is not before the last opening is damaged; everything up to it would be taken for our own.
      "BEGIN IMMEDIATE; UPDATE meta SET value = 0 WHERE name = 'assumed' AND value NOT BETWEEN 0 AND " +
      std::to_string(*last) + "; UPDATE meta SET value = " + number +
      " WHERE name = 'epoch'; INSERT INTO opening VALUES (" + number +
      "); UPDATE meta SET value = max(value, coalesce(" + forgotten +
      ", 0)) WHERE name = 'assumed'; DELETE FROM opening WHERE epoch <= (SELECT value FROM meta WHERE name = "
      "'assumed'); COMMIT;");
  if (!begun) {
    std::ignore = database.execute("ROLLBACK");
    return fail(std::move(begun.error()));
  }
  return known_epochs(database, epoch);
}

Result<KnownEpochs> prepare(Database& database, const Folder& folder, Bytes bound, Opening opening) {
  if (auto set = set_up_connection(database, folder, bound); !set) return fail(std::move(set.error()));
  const auto version = version_of(database);
  if (!version) return fail(version.error());
  const auto journal = database.text("PRAGMA journal_mode = WAL");
  if (!journal) return fail(journal.error());
  if (*journal != "wal") return fail(Errc::unsupported, "its file system takes no write-ahead log");
  auto ready = *version == 0 ? Status{} : check_whole(database);
  if (ready) ready = bring_up_to_date(database, *version);
  if (!ready) return fail(std::move(ready.error()));
  return begin_epoch(database, opening);
}

}  // namespace

Status bound_file(Database& database, Bytes bound) {
  const auto pages = database.figure("PRAGMA page_count");
  if (!pages) return fail(pages.error());
  const Bytes size{static_cast<std::uint64_t>(*pages) * 4096};
  const Bytes most = std::max(bound, size) + limits::kStoreSlack;
  return database.execute("PRAGMA max_page_count = " + std::to_string(most.count() / 4096));
}

Result<ClockRecord> clock_record(Database& database) {
  const auto time = database.figure("SELECT value FROM meta WHERE name = 'time'");
  if (!time) return fail(time.error());
  const auto wall = database.figure("SELECT value FROM meta WHERE name = 'wall'");
  if (!wall) return fail(wall.error());
  const auto sum = database.figure("SELECT value FROM meta WHERE name = 'clock_sum'");
  if (!sum) return fail(sum.error());
  const ClockRecord record{.time = *time, .wall = *wall};
  if (record.time == 0 || checksum_of(record) == *sum) return record;
  observe::log(observe::LogLevel::error, "store",
               "The time at which this hub ran last is damaged on the disk; messages grow older from the "
               "system's time on. Check the disk, and restore a backup if you need it");
  return ClockRecord{};
}

Result<OpenedDatabase> open_database(const Folder& folder, Bytes bound, Opening opening) {
  auto database = Database::open(folder.database(), Database::Access::read_write);
  if (!database) return fail(about(folder, std::move(database.error())));
  auto epochs = prepare(*database, folder, bound, opening);
  if (!epochs) return fail(about(folder, std::move(epochs.error())));
  const std::uint64_t epoch = epochs->present();
  return OpenedDatabase{.database = std::move(*database), .epoch = epoch, .epochs = std::move(*epochs)};
}

}  // namespace sluice::hub::store
