#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <tuple>

namespace sluice::api {

/// How often a hub looks whether its certificate or its keys have changed. A renewal comes once in weeks.
inline constexpr std::chrono::seconds kFileLook{2};

/// Whether files are others than at the last look: replaced, renamed over, written, or where a link leads
/// now.
///
/// A look is one stat(2) a file, without inotify: that sees neither a link's far end nor a network's files.
/// It says that something has changed, never that it is whole; whoever reads the files decides that.
class FileWatch {
 public:
  /// Requires nothing of the files: one that is not there may come. The first look finds no change.
  [[nodiscard]] bool changed(std::span<const std::filesystem::path> files);

 private:
  /// Device, file, size, and when it and its inode were changed, in nanoseconds.
  using Stamp = std::tuple<std::uint64_t, std::uint64_t, std::int64_t, std::int64_t, std::int64_t>;
  [[nodiscard]] static std::optional<Stamp> stamp_of(const std::filesystem::path& file);

  std::optional<std::map<std::filesystem::path, std::optional<Stamp>>> seen_;
};

}  // namespace sluice::api
