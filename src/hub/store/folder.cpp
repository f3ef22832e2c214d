#include "hub/store/folder.hpp"

#include <cerrno>
#include <fcntl.h>
#include <stdlib.h>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <tuple>
#include <unistd.h>
#include <utility>

#include "core/secret_file.hpp"

namespace sluice::hub::store {
namespace {

std::unexpected<Error> system_failure(std::string_view doing, const std::filesystem::path& what, int error) {
  const Errc code = error == ENOENT || error == ENOTDIR                   ? Errc::not_found
                    : error == EACCES || error == EPERM || error == EROFS ? Errc::permission_denied
                                                                          : Errc::io;
  return fail(code, "Cannot " + std::string{doing} + " " + what.string() + ": " +
                        std::generic_category().message(error) + ".");
}

std::string process_in(int lock) {
  char text[32];
  const ssize_t size = ::pread(lock, text, sizeof text, 0);
  return size > 0 ? std::string{text, static_cast<std::size_t>(size)} : std::string{"unknown"};
}

Result<std::filesystem::path> make_temporary() {
  std::error_code error;
  const auto parent = std::filesystem::temp_directory_path(error);
  if (error) return system_failure("use", "the folder for temporary files", error.value());
  std::string path = (parent / "sluice-hub-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) return system_failure("make a folder in", parent, errno);
  return path;
}

}  // namespace

Result<Folder> Folder::hold(const std::string& path) {
  const bool temporary = path == kInMemory;
  auto made = temporary ? make_temporary() : Result<std::filesystem::path>{path};
  if (!made) return fail(std::move(made.error()));
  Folder folder{std::move(*made), temporary ? Lifetime::temporary : Lifetime::kept};
  if (!temporary && ::mkdir(folder.path_.c_str(), S_IRWXU) != 0 && errno != EEXIST)
    return system_failure("make the hub's folder", folder.path_, errno);
  if (auto ours = check_secret_folder(folder.path_, "The hub's folder"); !ours)
    return fail(std::move(ours.error()));
  if (auto ours = check_secret_file(folder.database(), "The messages"); !ours)
    return fail(std::move(ours.error()));
  if (auto locked = folder.lock(); !locked) return fail(std::move(locked.error()));
  if (auto file = folder.make_database_file(); !file) return fail(std::move(file.error()));
  return folder;
}

Status Folder::lock() {
  const auto file = path_ / "hub.lock";
  lock_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (lock_ < 0) return system_failure("write into the hub's folder: cannot open", file, errno);
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return system_failure("lock", file, errno);
    return fail(Errc::busy, "Another hub (process " + process_in(lock_) + ") uses the folder " +
                                path_.string() + ". Stop it, or give this one a folder of its own.");
  }
  // Only for whoever is refused: without it the lock holds all the same.
  const std::string process = std::to_string(::getpid());
  if (::ftruncate(lock_, 0) == 0) std::ignore = ::pwrite(lock_, process.data(), process.size(), 0);
  return {};
}

/// SQLite gives the files beside it the same mode. Before SQLite has it open: closing any descriptor of it
/// would end SQLite's own locks.
Status Folder::make_database_file() {
  const int file = ::open(database().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (file < 0) return system_failure("write", database(), errno);
  ::close(file);
  return {};
}

Folder::Folder(Folder&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, false)),
      lock_(std::exchange(other.lock_, -1)) {}

Folder::~Folder() {
  std::error_code ignored;
  if (temporary_) std::filesystem::remove_all(path_, ignored);
  if (lock_ >= 0) ::close(lock_);
}

}  // namespace sluice::hub::store
