#include "api/file_watch.hpp"

#include <cstdint>
#include <sys/stat.h>
#include <utility>

namespace sluice::api {
namespace {

std::int64_t nanoseconds(const timespec& time) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  return time.tv_sec * kSecond + time.tv_nsec;
}

}  // namespace

std::optional<FileWatch::Stamp> FileWatch::stamp_of(const std::filesystem::path& file) {
  struct stat about{};
  if (::stat(file.c_str(), &about) != 0) return std::nullopt;
  return Stamp{about.st_dev, about.st_ino, about.st_size, nanoseconds(about.st_mtim),
               nanoseconds(about.st_ctim)};
}

bool FileWatch::changed(std::span<const std::filesystem::path> files) {
  std::map<std::filesystem::path, std::optional<Stamp>> now;
  for (const auto& file : files) now.emplace(file, stamp_of(file));
  const bool is_first = !seen_.has_value();
  const bool differs = !is_first && *seen_ != now;
  seen_ = std::move(now);
  return differs;
}

}  // namespace sluice::api
