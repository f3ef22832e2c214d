#include "hub/config/field.hpp"

#include <chrono>

#include <fmt/format.h>

#include "core/ensure.hpp"
#include "hub/config/units.hpp"

namespace sluice::hub::config {
namespace {

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

struct Writer {
  std::string operator()(const bool* value) const { return *value ? "true" : "false"; }
  std::string operator()(const std::uint64_t* value) const { return fmt::format("{}", *value); }
  std::string operator()(const Bytes* value) const { return in_quotes(to_text(*value)); }
  std::string operator()(const ByteCount& value) const { return in_quotes(to_text(Bytes{*value.count})); }
  std::string operator()(const Duration* value) const { return in_quotes(to_text(*value)); }
  std::string operator()(const std::string* value) const { return in_quotes(*value); }
  std::string operator()(const std::filesystem::path* value) const { return in_quotes(value->string()); }
  std::string operator()(const std::vector<std::string>* value) const {
    std::string list = "[";
    for (const std::string& item : *value) list += (list.size() == 1 ? "" : ", ") + in_quotes(item);
    return list + "]";
  }
  std::string operator()(const Choice& value) const { return in_quotes(value.words[value.get()]); }
};

struct Assigner {
  template <typename T>
  void operator()(T* to, T* from) const {
    *to = *from;
  }
  void operator()(const ByteCount& to, const ByteCount& from) const { *to.count = *from.count; }
  void operator()(const Choice& to, const Choice& from) const { to.set(from.get()); }
  template <typename A, typename B>
  void operator()(const A&, const B&) const {
    ENSURE(false);  // two keys
  }
};

}  // namespace

std::string Field::key() const {
  return section.empty() ? std::string{name} : fmt::format("{}.{}", section, name);
}

std::string Field::written() const {
  return std::visit(Writer{}, value);
}

void assign(const Field& to, const Field& from) {
  ENSURE(to.section == from.section && to.name == from.name);
  std::visit(Assigner{}, to.value, from.value);
}

std::string written_bound(const Field& field, std::int64_t bound) {
  if (std::holds_alternative<Bytes*>(field.value) || std::holds_alternative<ByteCount>(field.value))
    return to_text(Bytes{static_cast<std::uint64_t>(bound)});
  if (std::holds_alternative<Duration*>(field.value)) {
    return to_text(std::chrono::duration_cast<Duration>(std::chrono::nanoseconds{bound}));
  }
  return fmt::format("{}", bound);
}

}  // namespace sluice::hub::config
