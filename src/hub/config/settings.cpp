#include "hub/config/settings.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <ios>
#include <system_error>
#include <toml++/toml.h>
#include <utility>

#include <fmt/format.h>

#include "flow/token_bucket.hpp"
#include "hub/config/checks.hpp"
#include "hub/config/entries.hpp"
#include "hub/config/fields.hpp"
#include "hub/config/problems.hpp"
#include "hub/config/toml_file.hpp"

namespace sluice::hub::config {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kInMemory = ":memory:";

std::uint64_t twice(std::uint64_t figure) {
  return std::min(2 * figure, flow::TokenRate::kLargest);
}

/// What the file does not say of a user is twice what it says of a connection.
void fill_user_rates(GatewaySettings& gateway, const TomlReader& reader) {
  const Rates& from = gateway.per_connection;
  Rates& to = gateway.per_user;
  if (!reader.has("rates.user.messages_per_second")) to.messages.tokens = twice(from.messages.tokens);
  if (!reader.has("rates.user.message_burst")) to.messages.burst = twice(from.messages.burst);
  if (!reader.has("rates.user.bytes_per_second")) to.bytes.tokens = twice(from.bytes.tokens);
  if (!reader.has("rates.user.byte_burst")) to.bytes.burst = twice(from.bytes.burst);
}

Settings read_settings(const toml::table& root, const fs::path& folder, Problems& problems) {
  Settings settings;
  TomlReader reader{folder, problems};
  Entries entries{reader, problems};
  const std::array lists = {
      TomlReader::List{.key = "auth.key", .read = [&](const toml::table& entry) { entries.read_key(entry); }},
      TomlReader::List{.key = "route", .read = [&](const toml::table& entry) { entries.read_route(entry); }},
  };
  reader.read_file(root, fields_of(settings), lists);
  if (!settings.store.folder.empty() && settings.store.folder != kInMemory) {
    settings.store.folder = (folder / settings.store.folder).string();
  }
  fill_user_rates(settings.gateway, reader);
  settings.auth.verifier.keys = entries.keys();
  settings.routes = entries.routes();
  use_routes(settings);
  if (problems.empty()) check(settings, reader, problems);
  return settings;
}

Settings read_changes(const toml::table& root, Settings settings, Problems& problems) {
  TomlReader reader{{}, problems};
  Entries entries{reader, problems};
  const std::array lists = {
      TomlReader::List{.key = "auth.key",
                       .read =
                           [&](const toml::table& entry) {
                             problems.add(place_of(entry.source()),
                                          "keys are changed in the file alone; it is read again on SIGHUP");
                           }},
      TomlReader::List{.key = "route", .read = [&](const toml::table& entry) { entries.read_route(entry); }},
  };
  reader.read_file(root, fields_of(settings), lists);
  if (reader.has("route")) settings.routes = entries.routes();
  use_routes(settings);
  if (problems.empty()) check(settings, reader, problems);
  return settings;
}

/// What `read` makes of a text's table, unless there are problems.
template <typename Read>
Result<Settings> read_text(std::string_view text, std::string_view file, Read&& read) {
  Problems problems{file};
  try {
    const toml::table root = toml::parse(text);
    Settings settings = read(root, problems);
    if (!problems.empty()) return fail(problems.error(Errc::invalid_argument));
    return settings;
  } catch (const toml::parse_error& error) {
    problems.add(place_of(error.source()), std::string{error.description()});
    return fail(problems.error(Errc::malformed));
  }
}

Result<std::string> read_file(const fs::path& path) {
  const auto refused = [&path](Errc code, std::string_view why) {
    return fail(code, fmt::format("Cannot read the settings {}: {}.", path.string(), why));
  };
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) {
    const bool is_hidden = error == std::errc::permission_denied;
    return refused(is_hidden ? Errc::permission_denied : Errc::not_found,
                   is_hidden ? "permission denied" : "there is no such file");
  }
  if (!fs::is_regular_file(status)) return refused(Errc::invalid_argument, "it is not a file");
  std::ifstream in{path, std::ios::binary};
  if (!in) return refused(Errc::permission_denied, "it cannot be opened");
  std::string text(limits::kMaxSettingsFile.count() + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return refused(Errc::io, "the system failed at it");
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (Bytes{text.size()} > limits::kMaxSettingsFile)
    return refused(Errc::limit_exceeded, "it is far too long");
  return text;
}

template <typename Which>
std::vector<SettingChange> fields_that_differ(const Settings& old, const Settings& fresh, Which&& which) {
  Settings a = old;  // fields point into what may be written
  Settings b = fresh;
  const std::vector<Field> before = fields_of(a);
  const std::vector<Field> after = fields_of(b);
  std::vector<SettingChange> changed;
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (!which(before[i])) continue;
    SettingChange change{.key = before[i].key(), .before = before[i].written(), .after = after[i].written()};
    if (change.before != change.after) changed.push_back(std::move(change));
  }
  return changed;
}

std::vector<std::string> keys_of(const std::vector<SettingChange>& changes) {
  std::vector<std::string> keys;
  keys.reserve(changes.size());
  for (const SettingChange& change : changes) keys.push_back(change.key);
  return keys;
}

}  // namespace

Result<Settings> parse_settings(std::string_view text, std::string_view file) {
  return read_text(text, file, [file](const toml::table& root, Problems& problems) {
    return read_settings(root, fs::path{file}.parent_path(), problems);
  });
}

Result<Settings> changed_settings(const Settings& present, std::string_view text, std::string_view name) {
  return read_text(text, name, [&present](const toml::table& root, Problems& problems) {
    return read_changes(root, present, problems);
  });
}

Result<Settings> load_settings(const fs::path& path) {
  const auto text = read_file(path);
  if (!text) return fail(text.error());
  return parse_settings(*text, path.string());
}

std::vector<SettingChange> changes(const Settings& old, const Settings& fresh) {
  std::vector<SettingChange> changed = fields_that_differ(old, fresh, [](const Field&) { return true; });
  const auto counted = [](std::size_t count, std::string_view what) {
    return fmt::format("{} {}", count, what);
  };
  const auto& keys = old.auth.verifier.keys;
  if (keys != fresh.auth.verifier.keys) {
    changed.push_back({.key = "auth.key",
                       .before = counted(keys.size(), "keys"),
                       .after = counted(fresh.auth.verifier.keys.size(), "keys")});
  }
  if (old.routes != fresh.routes) {
    changed.push_back({.key = "route",
                       .before = counted(old.routes.size(), "routes"),
                       .after = counted(fresh.routes.size(), "routes")});
  }
  return changed;
}

std::vector<std::string> changed_keys(const Settings& old, const Settings& fresh) {
  return keys_of(changes(old, fresh));
}

std::vector<std::string> needs_restart(const Settings& old, const Settings& fresh) {
  return keys_of(
      fields_that_differ(old, fresh, [](const Field& field) { return field.applies == Applies::restart; }));
}

Settings reloaded(const Settings& old, Settings fresh) {
  Settings from = old;
  const std::vector<Field> before = fields_of(from);
  const std::vector<Field> after = fields_of(fresh);
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i].applies == Applies::restart) assign(after[i], before[i]);
  }
  return fresh;
}

Retentions::Retentions(const Settings& settings)
    : routes_(settings.gateway.routes), others_(settings.store.kept) {
  for (std::size_t i = 0; i < settings.route_retention.size(); ++i) {
    by_match_.emplace_back(settings.gateway.routes[i].match, settings.route_retention[i]);
  }
}

Retention Retentions::of(const wire::hub::Conversation& conversation) const {
  const std::string& match = routes_.of(conversation).match;
  const auto found = std::ranges::find(by_match_, match, &std::pair<std::string, Retention>::first);
  return found == by_match_.end() ? others_ : found->second;
}

}  // namespace sluice::hub::config
