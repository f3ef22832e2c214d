#include "crypto/code.hpp"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/limits.hpp"
#include "crypto/keyed_hash.hpp"
#include "crypto/random.hpp"
#include "crypto/word_list.hpp"

namespace sluice::crypto {
namespace {

constexpr std::array<Syllables, Code::kWords> kPattern = {Syllables::two, Syllables::three, Syllables::two};
constexpr std::string_view kExample = "7-goldfish-amusement-tiger";
constexpr std::size_t kSuggestions = 3;
constexpr std::size_t kFarthestSuggestion = 3;  // edits; farther, a suggestion is noise

std::string_view syllables_name(Syllables syllables) {
  return syllables == Syllables::two ? "two" : "three";
}

std::string words_text(std::span<const std::uint8_t, Code::kWords> words) {
  std::string text;
  text.reserve(limits::kMaxCodeText.count());  // not to leave a piece of it behind by growing
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i != 0) text += '-';
    text += word_list(kPattern[i])[words[i]];
  }
  return text;
}

/// The parts of a code in lower case. Only ASCII letters are folded: the words have no others.
std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  bool in_part = false;
  for (const char c : text) {
    if (std::string_view{" \t\r\n\v\f-_."}.contains(c)) {
      in_part = false;
      continue;
    }
    if (!in_part) parts.emplace_back();
    in_part = true;
    parts.back() += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return parts;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// What was typed, short enough and harmless enough to be shown again.
std::string quoted(std::string_view part) {
  std::string text = "\"";
  for (const char c : part.substr(0, 24)) text += c >= 0x20 && c < 0x7F ? c : '?';
  return text + (part.size() > 24 ? "…\"" : "\"");
}

std::optional<std::uint8_t> find(Syllables syllables, std::string_view word) {
  const auto words = word_list(syllables);
  const auto at = std::ranges::find(words, word);
  if (at == words.end()) return std::nullopt;
  return static_cast<std::uint8_t>(at - words.begin());
}

/// Levenshtein's distance: letters put in, taken out or replaced.
std::size_t edit_distance(std::string_view typed, std::string_view word) {
  std::vector<std::size_t> row(word.size() + 1);
  for (std::size_t i = 0; i < row.size(); ++i) row[i] = i;
  for (std::size_t i = 0; i < typed.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < word.size(); ++j) {
      const std::size_t replaced = diagonal + (typed[i] == word[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

/// " Did you mean ...?", or nothing when no word is near.
std::string suggestion(Syllables syllables, std::string_view typed) {
  std::vector<std::pair<std::size_t, std::string_view>> near;  // the nearest first, then by the alphabet
  const std::size_t farthest = std::min(kFarthestSuggestion, typed.size() / 2);
  for (const auto word : word_list(syllables)) {
    const std::size_t distance = edit_distance(typed, word);
    if (distance <= farthest) near.emplace_back(distance, word);
  }
  std::ranges::sort(near);
  if (near.empty()) return {};
  std::erase_if(near, [nearest = near.front().first](const auto& one) { return one.first > nearest + 1; });
  std::string text = " Did you mean ";
  const std::size_t shown = std::min(kSuggestions, near.size());
  for (std::size_t i = 0; i < shown; ++i) {
    if (i != 0) text += i + 1 == shown ? " or " : ", ";
    text += quoted(near[i].second);
  }
  return text + "?";
}

std::unexpected<Error> wrong(std::string sentence) {
  return fail(Errc::invalid_argument, std::move(sentence));
}

Result<std::uint8_t> parse_word(std::size_t position, std::string_view typed) {
  const Syllables wanted = kPattern[position];
  if (const auto index = find(wanted, typed)) return *index;
  const Syllables other = wanted == Syllables::two ? Syllables::three : Syllables::two;
  if (find(other, typed)) {
    return wrong("In a code, " + quoted(typed) + " cannot be word " + std::to_string(position + 1) +
                 ", which has " + std::string{syllables_name(wanted)} +
                 " syllables: are the words in order, and is none left out?");
  }
  return wrong(quoted(typed) + ", word " + std::to_string(position + 1) +
               " of the code, is not in the word list." + suggestion(wanted, typed));
}

}  // namespace

Code Code::random(std::string mailbox) {
  Code code{.mailbox = std::move(mailbox)};
  for (auto& word : code.words) word = static_cast<std::uint8_t>(random_below(256));
  return code;
}

Result<Code> Code::parse(std::string_view text) {
  if (text.size() > limits::kMaxCodeText.count()) return wrong("That is too long for a code.");
  const auto parts = split(text);
  const std::string example = " A code looks like " + std::string{kExample} + ".";
  if (parts.empty()) return wrong("The code is empty." + example);
  const std::string& number = parts.front();
  if (!std::ranges::all_of(number, is_digit)) {
    return wrong("A code begins with a number, not with " + quoted(number) + "." + example);
  }
  if (number.size() > limits::kMaxMailboxDigits || number.front() == '0') {
    return wrong("There is no mailbox " + quoted(number) + ". Look at the code's number again.");
  }
  const std::size_t words = parts.size() - 1;
  if (words != kWords) {
    return wrong("A code has three words behind its number, this one has " + std::to_string(words) + "." +
                 example);
  }
  Code code{.mailbox = number};
  for (std::size_t i = 0; i < kWords; ++i) {
    auto word = parse_word(i, parts[i + 1]);
    if (!word) return fail(std::move(word).error());
    code.words[i] = *word;
  }
  return code;
}

std::string Code::text() const {
  return mailbox + '-' + words_text(words);
}

Secret<32> Code::password() const {
  std::string text = words_text(words);
  Secret<32> password = KeyedHash{"sluice/1 code words"}.add(as_bytes(text)).key();
  wipe(std::as_writable_bytes(std::span{text}));
  return password;
}

}  // namespace sluice::crypto
