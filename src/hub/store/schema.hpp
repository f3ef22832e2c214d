#pragma once

#include <cstdint>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "hub/store/epoch.hpp"
#include "hub/store/expiry_clock.hpp"
#include "hub/store/folder.hpp"
#include "hub/store/message.hpp"
#include "hub/store/sqlite.hpp"

namespace sluice::hub::store {

/// A database whose schema is ours and this version's, in an epoch of its own: every opening begins one.
struct OpenedDatabase {
  sqlite::Database database;
  std::uint64_t epoch;
  KnownEpochs epochs;  ///< With the present one.
};

/// What an opening's epoch is made from, besides what the database knows.
struct Opening {
  UnixMs now = 0;
  std::uint64_t random = 0;
};

/// Lets the file take `limits::kStoreSlack` more than `bound`, or than it has by now: a full one needs that
/// much to make room in itself. Errors: those of `sqlite::Database`.
[[nodiscard]] Status bound_file(sqlite::Database& database, Bytes bound);

/// What the run before has left of its clock; one that is not as it was written, which might expire
/// everything, is told in the log and taken for none. Errors: those of `sqlite::Database`.
[[nodiscard]] Result<ClockRecord> clock_record(sqlite::Database& database);

/// Makes the tables in an empty file, adds what an earlier version's lack, and looks whether a full one is
/// whole: all of it up to `limits::kCheckedStore`, else the small tables. The file is bounded as by
/// `bound_file`. Errors, each with a sentence that says what to do: `malformed` (no database, another
/// program's, or damaged), `unsupported` (made by a later version), `busy`, `permission_denied`,
/// `limit_exceeded` (disk full), `io`.
[[nodiscard]] Result<OpenedDatabase> open_database(const Folder& folder, Bytes bound, Opening opening);

}  // namespace sluice::hub::store
