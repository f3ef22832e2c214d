#pragma once

#include <string>
#include <toml++/toml.h>
#include <vector>

#include "hub/config/problems.hpp"
#include "hub/config/settings.hpp"
#include "hub/config/toml_file.hpp"

namespace sluice::hub::config {

/// The lists of the file, `[[auth.key]]` and `[[route]]`: read entry by entry, put into the settings at the
/// end, since an entry may depend on sections behind it.
class Entries {
 public:
  /// Both outlive it.
  Entries(TomlReader& reader, Problems& problems) : reader_(reader), problems_(problems) {}

  void read_key(const toml::table& entry);
  void read_route(const toml::table& entry);

  /// Routes become what is to be used: normal ones only without classes, unstored ones without a store.
  void put_into(Settings& settings) const;

  [[nodiscard]] bool has_keys() const { return !keys_.empty(); }

 private:
  struct RouteEntry {
    Route route{};
    Retention kept{};
    bool has_max_age = false;
    bool has_max_messages = false;
    bool has_max_bytes = false;
  };
  void check_match(const toml::table& entry, const std::string& match);
  [[nodiscard]] Retention kept_of(const RouteEntry& entry, const Retention& others) const;

  TomlReader& reader_;
  Problems& problems_;
  std::vector<auth::KeyFile> keys_;
  std::vector<RouteEntry> routes_;
};

}  // namespace sluice::hub::config
