#include "transport/dialing/dns.hpp"

#include <algorithm>
#include <cstdint>

#include "core/byte_io.hpp"

namespace sluice::dialing {
namespace {

/// A name ends with an empty label, or with a pointer to the rest of it (RFC 1035 §4.1.4).
bool skip_name(ByteReader& reader) {
  for (;;) {
    const auto length = reader.read<std::uint8_t>();
    if (!length) return false;
    if (*length >= 0xC0) return reader.read<std::uint8_t>().has_value();
    if (*length == 0) return true;
    if (!reader.read_bytes(*length)) return false;
  }
}

/// An entry of the question section: name, type, class.
bool skip_question(ByteReader& reader) {
  return skip_name(reader) && reader.read<std::uint32_t>().has_value();
}

/// A resource record; returns its time to live.
std::optional<Duration> read_record(ByteReader& reader) {
  if (!skip_question(reader)) return std::nullopt;
  const auto seconds = reader.read<std::uint32_t>();
  const auto length = reader.read<std::uint16_t>();
  if (!seconds || !length || !reader.read_bytes(*length)) return std::nullopt;
  return std::chrono::seconds{*seconds > 0x7FFFFFFF ? 0 : *seconds};
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_name(std::string_view one, std::string_view other) {
  return std::ranges::equal(one, other, [](char a, char b) { return lower(a) == lower(b); });
}

}  // namespace

std::optional<Duration> life_of_answers(ByteView message) {
  ByteReader reader{message};
  const auto head = reader.read<std::uint32_t>();  // id and flags
  const auto questions = reader.read<std::uint16_t>();
  const auto answers = reader.read<std::uint16_t>();
  const auto rest = reader.read<std::uint32_t>();  // counts of the other sections
  if (!head || !rest) return std::nullopt;
  for (std::uint32_t i = 0; i < *questions; ++i) {
    if (!skip_question(reader)) return std::nullopt;
  }
  std::optional<Duration> life;
  for (std::uint32_t i = 0; i < *answers; ++i) {
    const auto each = read_record(reader);
    if (!each) return std::nullopt;
    life = std::min(life.value_or(*each), *each);
  }
  return life;
}

bool names_host(std::string_view hosts_file, std::string_view host) {
  constexpr std::string_view kBlank = " \t\r";
  while (!hosts_file.empty()) {
    const auto end = std::min(hosts_file.find('\n'), hosts_file.size());
    std::string_view line = hosts_file.substr(0, end);
    hosts_file.remove_prefix(std::min(end + 1, hosts_file.size()));
    line = line.substr(0, line.find('#'));
    for (bool address = true; !line.empty(); address = false) {
      line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
      const std::string_view word = line.substr(0, line.find_first_of(kBlank));
      line.remove_prefix(word.size());
      if (!address && !word.empty() && same_name(word, host)) return true;
    }
  }
  return false;
}

}  // namespace sluice::dialing
