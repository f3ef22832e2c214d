#include "hub/config/toml_file.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/admission_limits.hpp"
#include "hub/config/units.hpp"

namespace sluice::hub::config {
namespace {

std::string joined(std::string_view section, std::string_view name) {
  return section.empty() ? std::string{name} : fmt::format("{}.{}", section, name);
}

/// Whether there are keys in that section or under it.
bool is_section(std::string_view name, std::span<const Field> fields,
                std::span<const TomlReader::List> lists) {
  const auto is_within = [name](std::string_view key) {
    return key.size() > name.size() && key.starts_with(name) && key[name.size()] == '.';
  };
  return std::ranges::any_of(fields, [&](const Field& field) { return is_within(field.key()); }) ||
         std::ranges::any_of(lists, [&](const TomlReader::List& list) { return is_within(list.key); });
}

const Field* find(std::span<const Field> fields, std::string_view key) {
  const auto found = std::ranges::find_if(fields, [key](const Field& field) { return field.key() == key; });
  return found == fields.end() ? nullptr : &*found;
}

/// The names that may stand right in that section.
std::vector<std::string> names_in(std::string_view section, std::span<const Field> fields,
                                  std::span<const TomlReader::List> lists) {
  std::vector<std::string> names;
  const auto add = [&](std::string_view key) {
    if (!section.empty()) {
      if (!key.starts_with(section) || key.size() <= section.size() || key[section.size()] != '.') return;
      key.remove_prefix(section.size() + 1);
    }
    names.emplace_back(key.substr(0, key.find('.')));
  };
  for (const Field& field : fields) add(field.key());
  for (const TomlReader::List& list : lists) add(list.key);
  return names;
}

}  // namespace

Place place_of(const toml::source_region& region) {
  return {.line = region.begin.line, .column = region.begin.column};
}

void TomlReader::read_file(const toml::table& root, std::span<const Field> fields,
                           std::span<const List> lists) {
  read_section(root, {}, fields, lists);
}

std::set<std::string_view> TomlReader::read_entry(const toml::table& entry, std::span<const Field> fields) {
  std::set<std::string_view> given;
  for (const auto& [key, node] : entry) {
    if (const Field* const field = find(fields, key.str())) {
      read_value(node, *field);
      given.insert(field->name);
    } else {
      unknown_key(key, {}, fields, {});
    }
  }
  return given;
}

Place TomlReader::place_of(std::string_view key) const {
  const auto found = places_.find(key);
  return found == places_.end() ? Place{} : found->second;
}

void TomlReader::read_section(const toml::table& table, const std::string& section,
                              std::span<const Field> fields, std::span<const List> lists) {
  for (const auto& [key, node] : table) {
    const std::string name = joined(section, key.str());
    places_[name] = config::place_of(key.source());
    const auto list = std::ranges::find(lists, name, &List::key);
    if (list != lists.end()) {
      read_list(node, *list);
    } else if (const Field* const field = find(fields, name)) {
      read_value(node, *field);
    } else if (!is_section(name, fields, lists)) {
      unknown_key(key, section, fields, lists);
    } else if (const toml::table* const inner = node.as_table()) {
      read_section(*inner, name, fields, lists);
    } else {
      problems_.add(config::place_of(key.source()), fmt::format("`{0}` is a section: [{0}]", name));
    }
  }
}

void TomlReader::read_list(const toml::node& node, const List& list) {
  const toml::array* const entries = node.as_array();
  if (entries == nullptr || (!entries->empty() && !entries->is_array_of_tables())) {
    problems_.add(config::place_of(node.source()),
                  fmt::format("`{0}` is a list of sections: [[{0}]]", list.key));
    return;
  }
  for (const toml::node& entry : *entries) list.read(*entry.as_table());
}

void TomlReader::unknown_key(const toml::key& key, const std::string& section, std::span<const Field> fields,
                             std::span<const List> lists) {
  const std::vector<std::string> names = names_in(section, fields, lists);
  const std::vector<std::string_view> known{names.begin(), names.end()};
  std::string what = fmt::format("there is no `{}`", joined(section, key.str()));
  const auto elsewhere =
      std::ranges::find_if(fields, [&](const Field& field) { return field.name == key.str(); });
  if (const std::string_view meant = nearest(key.str(), known); !meant.empty()) {
    what += fmt::format("; did you mean `{}`?", meant);
  } else if (elsewhere != fields.end()) {
    what += fmt::format("; there is one in [{}]", elsewhere->section);
  }
  problems_.add(config::place_of(key.source()), std::move(what));
}

void TomlReader::takes(const toml::node& node, const Field& field, std::string_view what) {
  problems_.add(config::place_of(node.source()), fmt::format("`{}` takes {}", field.key(), what));
}

bool TomlReader::in_bounds(const toml::node& node, const Field& field, std::int64_t value) {
  if (value >= field.least && value <= field.most) return true;
  takes(node, field,
        fmt::format("{} to {}", written_bound(field, field.least), written_bound(field, field.most)));
  return false;
}

void TomlReader::read_value(const toml::node& node, const Field& field) {
  if (bool* const* const flag = std::get_if<bool*>(&field.value)) {
    if (const auto* const value = node.as_boolean()) {
      **flag = value->get();
    } else {
      takes(node, field, "true or false");
    }
  } else if (std::uint64_t* const* const number = std::get_if<std::uint64_t*>(&field.value)) {
    read_number(node, field, **number);
  } else if (Bytes* const* const bytes = std::get_if<Bytes*>(&field.value)) {
    read_bytes(node, field, **bytes);
  } else if (const ByteCount* const count = std::get_if<ByteCount>(&field.value)) {
    Bytes value{*count->count};
    read_bytes(node, field, value);
    *count->count = value.count();
  } else if (Duration* const* const duration = std::get_if<Duration*>(&field.value)) {
    read_duration(node, field, **duration);
  } else if (auto* const* const list = std::get_if<std::vector<std::string>*>(&field.value)) {
    read_texts(node, field, **list);
  } else if (const Choice* const choice = std::get_if<Choice>(&field.value)) {
    read_choice(node, field, *choice);
  } else if (const auto* const text = node.as_string()) {
    if (auto* const* const path = std::get_if<std::filesystem::path*>(&field.value)) {
      **path = text->get().empty() ? std::filesystem::path{} : folder_ / text->get();
    } else {
      *std::get<std::string*>(field.value) = text->get();
    }
  } else {
    takes(node, field, "a text");
  }
}

void TomlReader::read_number(const toml::node& node, const Field& field, std::uint64_t& into) {
  const auto* const number = node.as_integer();
  if (number == nullptr) {
    takes(node, field, "a whole number");
  } else if (in_bounds(node, field, number->get())) {
    into = static_cast<std::uint64_t>(number->get());
  }
}

void TomlReader::read_bytes(const toml::node& node, const Field& field, Bytes& into) {
  const auto* const text = node.as_string();
  const auto bytes = text == nullptr ? std::nullopt : parse_bytes(text->get());
  if (!bytes) {
    takes(node, field, "a size in B, KiB, MiB, GiB or TiB, such as \"64KiB\"");
  } else if (in_bounds(node, field, static_cast<std::int64_t>(bytes->count()))) {
    into = *bytes;
  }
}

void TomlReader::read_duration(const toml::node& node, const Field& field, Duration& into) {
  const auto* const text = node.as_string();
  const auto duration = text == nullptr ? std::nullopt : parse_duration(text->get());
  if (!duration) {
    takes(node, field, "a time in ns, us, ms, s, min, h or d, such as \"2s\"");
  } else if (in_bounds(node, field, std::chrono::nanoseconds{*duration}.count())) {
    into = *duration;
  }
}

void TomlReader::read_texts(const toml::node& node, const Field& field, std::vector<std::string>& into) {
  const toml::array* const list = node.as_array();
  // As many as the longest list may have.
  constexpr auto kMostTexts = static_cast<std::int64_t>(limits::kMaxTrustedProxies);
  const std::int64_t least = std::max<std::int64_t>(field.least, 0);
  const std::int64_t most = std::min(field.most, kMostTexts);
  const auto size = list == nullptr ? -1 : static_cast<std::int64_t>(list->size());
  if (size < least || size > most || (size > 0 && !list->is_homogeneous<std::string>())) {
    takes(node, field, fmt::format("a list of {} to {} texts", least, most));
    return;
  }
  into.clear();
  for (const toml::node& item : *list) into.push_back(item.as_string()->get());
}

void TomlReader::read_choice(const toml::node& node, const Field& field, const Choice& choice) {
  const auto* const text = node.as_string();
  const auto word = text == nullptr ? choice.words.end() : std::ranges::find(choice.words, text->get());
  if (word == choice.words.end()) {
    takes(node, field, fmt::format("one of \"{}\"", fmt::join(choice.words, "\", \"")));
    return;
  }
  choice.set(static_cast<std::size_t>(word - choice.words.begin()));
}

}  // namespace sluice::hub::config
