#pragma once

#include <string>
#include <toml++/toml.h>
#include <vector>

#include "hub/config/problems.hpp"
#include "hub/config/settings.hpp"
#include "hub/config/toml_file.hpp"

namespace sluice::hub::config {

/// The lists of the file, `[[auth.key]]` and `[[route]]`, read entry by entry.
class Entries {
 public:
  /// Both outlive it.
  Entries(TomlReader& reader, Problems& problems) : reader_(reader), problems_(problems) {}

  void read_key(const toml::table& entry);
  void read_route(const toml::table& entry);

  [[nodiscard]] const std::vector<auth::KeyFile>& keys() const { return keys_; }
  [[nodiscard]] const std::vector<WrittenRoute>& routes() const { return routes_; }

 private:
  void check_match(const toml::table& entry, const std::string& match);

  TomlReader& reader_;
  Problems& problems_;
  std::vector<auth::KeyFile> keys_;
  std::vector<WrittenRoute> routes_;
};

/// Makes the gateway's routes of those that are written, once all else is read: normal ones only without
/// classes, unstored ones without a store.
void use_routes(Settings& settings);

}  // namespace sluice::hub::config
