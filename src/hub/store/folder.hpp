#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace sluice::hub::store {

/// What a hub is given instead of a folder to keep nothing beyond its end.
inline constexpr std::string_view kInMemory = ":memory:";

/// A store's folder, which belongs to one process at a time: a lock on `hub.lock` that ends with the process.
/// In it: `messages.db` and what SQLite puts beside it, readable by their owner alone.
class Folder {
 public:
  /// Makes the folder if it is absent. For `kInMemory` a new one among the system's temporary files, which
  /// goes with this: the same code then runs as over a real one, readers never wait for the writer, and what
  /// does not fit into memory is not lost. Errors: `busy` (another hub has it), `permission_denied`,
  /// `not_found`, `io`.
  [[nodiscard]] static Result<Folder> hold(const std::string& path);
  Folder(Folder&& other) noexcept;
  Folder& operator=(Folder&&) = delete;
  ~Folder();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path database() const { return path_ / "messages.db"; }
  [[nodiscard]] bool is_temporary() const { return temporary_; }

 private:
  enum class Lifetime : bool { kept, temporary };
  Folder(std::filesystem::path path, Lifetime lifetime)
      : path_(std::move(path)), temporary_(lifetime == Lifetime::temporary) {}
  [[nodiscard]] Status lock();
  [[nodiscard]] Status make_database_file();

  std::filesystem::path path_;
  bool temporary_;
  int lock_ = -1;
};

}  // namespace sluice::hub::store
