#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "core/bytes.hpp"
#include "core/error.hpp"

struct sqlite3;
struct sqlite3_stmt;

/// The little of SQLite that the store uses, with its errors as ours. Nothing else of this house names
/// SQLite.
namespace sluice::hub::store::sqlite {

/// One prepared statement. One thread; its database outlives it.
///
/// `run` and `first` begin anew with these values for its parameters. Texts are not copied: they live until
/// the statement has been reset or run again. A statement that stands on a row holds its snapshot: `reset`
/// lets go.
class Statement {
 public:
  Statement() = default;  ///< Of no use until a prepared one is moved into it.

  /// Runs to the end; rows are not looked at.
  template <typename... Values>
  [[nodiscard]] Status run(const Values&... values) {
    begin();
    (bind(values), ...);
    return finish();
  }
  /// True: it stands on the first row.
  template <typename... Values>
  [[nodiscard]] Result<bool> first(const Values&... values) {
    begin();
    (bind(values), ...);
    return next();
  }
  [[nodiscard]] Result<bool> next();
  void reset();

  /// Columns of the row that it stands on, counted from 0. A text lives until the statement moves.
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::string_view text(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

  void begin();
  void bind(std::int64_t value);
  void bind(std::string_view value);
  [[nodiscard]] Status finish();

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int parameter_ = 0;
  int bound_ = 0;  ///< The first error at binding.
};

/// One connection. One thread.
class Database {
 public:
  enum class Access : std::uint8_t { read_only, read_write };

  /// Waits for others for at most `limits::kStoreLockWait`. Errors: as `Statement`'s.
  [[nodiscard]] static Result<Database> open(const std::filesystem::path& file, Access access);
  Database(Database&&) noexcept = default;
  Database& operator=(Database&&) noexcept = default;
  ~Database() = default;

  /// Errors: `busy` (another process has it), `malformed` (no database, or a damaged one),
  /// `permission_denied`, `limit_exceeded` (the disk or the bound is full), `io`.
  [[nodiscard]] Status execute(const std::string& statements);
  [[nodiscard]] Result<Statement> prepare(std::string_view statement);
  /// The one figure that a statement yields; 0 without a row.
  [[nodiscard]] Result<std::int64_t> figure(std::string_view statement);
  /// The one text.
  [[nodiscard]] Result<std::string> text(std::string_view statement);

  /// Pages in the write-ahead log after the last commit of this connection.
  [[nodiscard]] int log_pages() const { return *log_pages_; }
  /// Moves the log into the file. `when_free`: what readers still look at stays in the log; `emptied`: waits
  /// for them, then the log begins anew.
  enum class Checkpoint : std::uint8_t { when_free, emptied };
  [[nodiscard]] Status checkpoint(Checkpoint how);

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  Database() = default;

  std::unique_ptr<int> log_pages_ = std::make_unique<int>(0);  ///< Where SQLite's hook writes.
  std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace sluice::hub::store::sqlite
