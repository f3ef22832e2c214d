#include "hub/store/sqlite.hpp"

#include <sqlite3.h>

#include "core/hub_limits.hpp"

namespace sluice::hub::store::sqlite {
namespace {

Errc code_of(int result) {
  switch (result & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Errc::busy;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Errc::malformed;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return Errc::permission_denied;
    case SQLITE_FULL:
      return Errc::limit_exceeded;
    default:
      return Errc::io;
  }
}

std::unexpected<Error> failure(sqlite3* database, int result) {
  std::string message = sqlite3_errstr(result);
  if (const char* detail = database == nullptr ? nullptr : sqlite3_errmsg(database);
      detail != nullptr && detail != message) {
    message += " (" + std::string{detail} + ")";
  }
  return fail(code_of(result), std::move(message));
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

void Statement::reset() {
  sqlite3_reset(statement_.get());  // tells again what the last step has told
}

void Statement::begin() {
  reset();
  parameter_ = 0;
  bound_ = SQLITE_OK;
}

void Statement::bind(std::int64_t value) {
  const int result = sqlite3_bind_int64(statement_.get(), ++parameter_, value);
  if (bound_ == SQLITE_OK) bound_ = result;
}

void Statement::bind(std::string_view value) {
  const char* const data = value.data() == nullptr ? "" : value.data();  // a null pointer would be NULL
  const int result =
      sqlite3_bind_text64(statement_.get(), ++parameter_, data, value.size(), SQLITE_STATIC, SQLITE_UTF8);
  if (bound_ == SQLITE_OK) bound_ = result;
}

Result<bool> Statement::next() {
  sqlite3* const database = sqlite3_db_handle(statement_.get());
  if (bound_ != SQLITE_OK) return failure(database, bound_);
  const int result = sqlite3_step(statement_.get());
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) {
    reset();
    return false;
  }
  auto error = failure(database, result);
  reset();
  return error;
}

Status Statement::finish() {
  for (;;) {
    const auto row = next();
    if (!row) return fail(row.error());
    if (!*row) return {};
  }
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string_view Statement::text(int column) const {
  const void* const data = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return data == nullptr ? std::string_view{}
                         : std::string_view{static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

void Database::Close::operator()(sqlite3* database) const {
  sqlite3_close_v2(database);  // with statements that are still there: when the last one goes
}

Result<Database> Database::open(const std::filesystem::path& file, Access access) {
  const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                    (access == Access::read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
  Database opened;
  sqlite3* database = nullptr;
  const int result = sqlite3_open_v2(file.c_str(), &database, flags, nullptr);
  opened.database_.reset(database);
  if (result != SQLITE_OK) return failure(database, result);
  sqlite3_busy_timeout(database, static_cast<int>(limits::kStoreLockWait.count()));
  sqlite3_wal_hook(
      database,
      [](void* pages, sqlite3*, const char*, int count) {
        *static_cast<int*>(pages) = count;
        return SQLITE_OK;
      },
      opened.log_pages_.get());
  return opened;
}

Status Database::execute(const std::string& statements) {
  const int result = sqlite3_exec(database_.get(), statements.c_str(), nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) return failure(database_.get(), result);
  return {};
}

Result<Statement> Database::prepare(std::string_view statement) {
  sqlite3_stmt* prepared = nullptr;
  const int result = sqlite3_prepare_v3(database_.get(), statement.data(), static_cast<int>(statement.size()),
                                        SQLITE_PREPARE_PERSISTENT, &prepared, nullptr);
  if (result != SQLITE_OK) return failure(database_.get(), result);
  return Statement{prepared};
}

Result<std::int64_t> Database::figure(std::string_view statement) {
  auto prepared = prepare(statement);
  if (!prepared) return fail(std::move(prepared.error()));
  const auto row = prepared->first();
  if (!row) return fail(row.error());
  return *row ? prepared->integer(0) : 0;
}

Result<std::string> Database::text(std::string_view statement) {
  auto prepared = prepare(statement);
  if (!prepared) return fail(std::move(prepared.error()));
  const auto row = prepared->first();
  if (!row) return fail(row.error());
  return *row ? std::string{prepared->text(0)} : std::string{};
}

Status Database::checkpoint(Checkpoint how) {
  const int mode = how == Checkpoint::when_free ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_TRUNCATE;
  int in_log = 0;
  int moved = 0;
  const int result = sqlite3_wal_checkpoint_v2(database_.get(), nullptr, mode, &in_log, &moved);
  if (result != SQLITE_OK) return failure(database_.get(), result);
  // All of it moved: the next commit begins the log anew.
  *log_pages_ = in_log - moved;
  return {};
}

}  // namespace sluice::hub::store::sqlite
