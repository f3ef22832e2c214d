#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <toml++/toml.h>
#include <vector>

#include "hub/config/field.hpp"
#include "hub/config/problems.hpp"

namespace sluice::hub::config {

/// Fills fields with what a TOML table says and notes whatever it says wrongly.
class TomlReader {
 public:
  /// `folder`: where relative paths begin. `problems` outlives it.
  TomlReader(std::filesystem::path folder, Problems& problems)
      : folder_(std::move(folder)), problems_(problems) {}

  /// A key whose value is a list of tables, each read by that function.
  struct List {
    std::string_view key;  ///< `route`, `auth.key`
    std::function<void(const toml::table&)> read;
  };

  /// Everything in the file: sections and lists; whatever is neither is a problem.
  void read_file(const toml::table& root, std::span<const Field> fields, std::span<const List> lists);

  /// One entry of a list; returns which keys it has.
  std::set<std::string_view> read_entry(const toml::table& entry, std::span<const Field> fields);

  /// Where the key was given; nowhere if it was not.
  [[nodiscard]] Place place_of(std::string_view key) const;
  [[nodiscard]] bool has(std::string_view key) const { return places_.contains(key); }

 private:
  void read_section(const toml::table& table, const std::string& section, std::span<const Field> fields,
                    std::span<const List> lists);
  void read_list(const toml::node& node, const List& list);
  void read_value(const toml::node& node, const Field& field);
  void read_number(const toml::node& node, const Field& field, std::uint64_t& into);
  void read_bytes(const toml::node& node, const Field& field, Bytes& into);
  void read_duration(const toml::node& node, const Field& field, Duration& into);
  void read_texts(const toml::node& node, const Field& field, std::vector<std::string>& into);
  void read_choice(const toml::node& node, const Field& field, const Choice& choice);
  [[nodiscard]] bool in_bounds(const toml::node& node, const Field& field, std::int64_t value);
  void takes(const toml::node& node, const Field& field, std::string_view what);
  void unknown_key(const toml::key& key, const std::string& section, std::span<const Field> fields,
                   std::span<const List> lists);

  std::filesystem::path folder_;
  Problems& problems_;
  std::map<std::string, Place, std::less<>> places_;
};

[[nodiscard]] Place place_of(const toml::source_region& region);

}  // namespace sluice::hub::config
