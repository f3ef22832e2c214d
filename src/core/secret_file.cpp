#include "core/secret_file.hpp"

#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace sluice {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kRoot = 0;
constexpr std::uint32_t kGroupReads = S_IRGRP;
constexpr std::uint32_t kOthersWrite = S_IWOTH;
constexpr std::uint32_t kGroupWrites = S_IWGRP;
constexpr std::uint32_t kNotOwner = S_IRWXG | S_IRWXO;
constexpr std::uint32_t kSticky = S_ISVTX;

FileAccess access_of(const struct stat& about) {
  return {.mode = about.st_mode & (S_IRWXU | S_IRWXG | S_IRWXO | S_ISVTX), .owner = about.st_uid};
}

bool is_trusted(std::uint32_t owner, std::uint32_t user) {
  return owner == user || owner == kRoot;
}

std::optional<FileAccess> folder_of(const fs::path& path) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  struct stat about{};
  if (error || ::stat(real.parent_path().c_str(), &about) != 0) return std::nullopt;
  return access_of(about);
}

}  // namespace

std::optional<std::string> objection_to(const SecretPlace& place, std::uint32_t user, const fs::path& path) {
  const std::string at = path.string();
  if (place.link && !is_trusted(place.link->owner, user))
    return "is a symbolic link of another user: name the file itself, or make the link yours";
  if (!is_trusted(place.file.owner, user))
    return "belongs to another user: chown it to the user that runs this";
  const bool is_roots = place.file.owner == kRoot;
  const std::uint32_t granted = place.file.mode & kNotOwner & ~(is_roots ? kGroupReads : 0U);
  if (granted != 0) {
    const bool is_shared_by_root = is_roots && (place.file.mode & kGroupReads) != 0 && user != kRoot;
    return std::string{"can be used by others"} + ": chmod " + (is_shared_by_root ? "640 " : "600 ") + at;
  }
  const bool is_replaceable = (place.folder.mode & kOthersWrite) != 0 && (place.folder.mode & kSticky) == 0;
  if (is_replaceable) return "can be replaced by others: chmod o-w " + path.parent_path().string();
  return std::nullopt;
}

Status check_secret_file(const fs::path& path, std::string_view what) {
  struct stat named{};
  struct stat about{};
  if (::lstat(path.c_str(), &named) != 0 || ::stat(path.c_str(), &about) != 0 || !S_ISREG(about.st_mode))
    return {};
  SecretPlace place{.file = access_of(about), .folder = folder_of(path).value_or(FileAccess{})};
  if (S_ISLNK(named.st_mode)) place.link = access_of(named);
  if (const auto objection = objection_to(place, ::geteuid(), path)) {
    return fail(Errc::permission_denied, std::string{what} + " in " + path.string() + " " + *objection);
  }
  return {};
}

Status check_secret_folder(const fs::path& path, std::string_view what) {
  struct stat about{};
  if (::stat(path.c_str(), &about) != 0 || !S_ISDIR(about.st_mode)) return {};
  const FileAccess folder = access_of(about);
  const std::string sentence = std::string{what} + " " + path.string() + " ";
  if (!is_trusted(folder.owner, ::geteuid()))
    return fail(Errc::permission_denied,
                sentence + "belongs to another user: chown it to the user that runs this");
  if ((folder.mode & (kGroupWrites | kOthersWrite)) != 0)
    return fail(Errc::permission_denied, sentence + "can be written by others: chmod go-w " + path.string());
  return {};
}

}  // namespace sluice
