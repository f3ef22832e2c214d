#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/bytes.hpp"
#include "core/time.hpp"

namespace sluice::hub::config {

/// Whether a running hub takes up a change.
enum class Applies : std::uint8_t { live, restart };

/// One of a few words, each of which stands for a value of an enum.
struct Choice {
  std::vector<std::string_view> words;
  std::function<std::size_t()> get;  ///< Which of them it is.
  std::function<void(std::size_t)> set;
};

template <typename Enum>
Choice choice(Enum& value, std::vector<std::pair<std::string_view, Enum>> words) {
  Choice made;
  for (const auto& [word, stands_for] : words) made.words.push_back(word);
  made.get = [&value, words] {
    std::size_t at = 0;
    while (words[at].second != value) ++at;
    return at;
  };
  made.set = [&value, words](std::size_t at) { value = words[at].second; };
  return made;
}

/// An amount of bytes that its owner keeps as a number.
struct ByteCount {
  std::uint64_t* count;
};

/// A key of the file and where what it says goes to: into what `value` points at, which outlives it.
struct Field {
  using Value = std::variant<bool*, std::uint64_t*, Bytes*, ByteCount, Duration*, std::string*,
                             std::filesystem::path*, std::vector<std::string>*, Choice>;

  std::string_view section;  ///< `rates.user`; empty: of an entry of a list.
  std::string_view name;
  Value value;
  Applies applies = Applies::live;
  /// Of numbers, of bytes, of nanoseconds.
  std::int64_t least = std::numeric_limits<std::int64_t>::min();
  std::int64_t most = std::numeric_limits<std::int64_t>::max();

  [[nodiscard]] std::string key() const;  ///< `rates.user.byte_burst`
  /// What it points at, as it would be written in the file.
  [[nodiscard]] std::string written() const;
};

/// Lets one say what another does, of another `Settings`. Requires that both are of the same key.
void assign(const Field& to, const Field& from);

/// A bound as it would be written for this field: `1KiB`, `10s`, `5`.
[[nodiscard]] std::string written_bound(const Field& field, std::int64_t bound);

}  // namespace sluice::hub::config
