#include "api/percent_text.hpp"

#include <algorithm>
#include <charconv>
#include <ranges>
#include <utility>

#include <fmt/format.h>

namespace sluice::api {
namespace {

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

}  // namespace

std::string percent_encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (is_unreserved(c)) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const std::string_view digits = text.substr(i + 1, 2);
    unsigned char byte = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (digits.size() != 2 || error != std::errc{} || end != digits.data() + 2) return std::nullopt;
    out += static_cast<char>(byte);
    i += 2;
  }
  return out;
}

std::optional<std::vector<std::string>> path_parts(std::string_view path) {
  std::vector<std::string> parts;
  if (path.starts_with('/')) path.remove_prefix(1);
  for (const auto piece : std::views::split(path, '/')) {
    auto decoded = percent_decode(std::string_view{piece.begin(), piece.end()});
    if (!decoded) return std::nullopt;
    parts.push_back(std::move(*decoded));
  }
  return parts;
}

std::optional<std::map<std::string, std::string>> query_parts(std::string_view query) {
  std::map<std::string, std::string> parts;
  std::string text{query};
  std::ranges::replace(text, '+', ' ');
  for (const auto piece : std::views::split(text, '&')) {
    const std::string_view part{piece.begin(), piece.end()};
    if (part.empty()) continue;
    const std::size_t equals = std::min(part.find('='), part.size());
    auto name = percent_decode(part.substr(0, equals));
    auto value = percent_decode(part.substr(std::min(equals + 1, part.size())));
    if (!name || !value || !parts.emplace(std::move(*name), std::move(*value)).second) return std::nullopt;
  }
  return parts;
}

}  // namespace sluice::api
