#include "cli/state_file.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <optional>
#include <system_error>
#include <unistd.h>

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "core/client_limits.hpp"
#include "core/hub_limits.hpp"
#include "wire/json/bounded.hpp"

namespace sluice::cli {
namespace {

using wire::hub::Conversation;

/// A token, and as many positions as a client may have, at their longest: each byte of a name escaped, two
/// numbers, and the members' names.
constexpr std::size_t kLongestState =
    limits::kMaxToken.count() + limits::kClientConversations * (2 * limits::kMaxName.count() + 128);
constexpr wire::json::Limits kStateLimits{.text = Bytes{kLongestState}, .memory = Bytes{16 * kLongestState}};

std::string reason() {
  return std::generic_category().message(errno);
}

/// A descriptor that is closed with it.
class File {
 public:
  File(const std::string& name, int flags) : descriptor_(::open(name.c_str(), flags | O_CLOEXEC, 0600)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  [[nodiscard]] int get() const { return descriptor_; }

 private:
  int descriptor_;
};

std::optional<wire::hub::PositionIn> place_of(const boost::json::value& value) {
  const auto* const place = value.if_object();
  if (place == nullptr) return std::nullopt;
  wire::hub::PositionIn found;
  const auto text = [&](std::string_view name) -> const boost::json::string* {
    const auto* const member = place->if_contains(name);
    return member == nullptr ? nullptr : member->if_string();
  };
  const auto number = [&](std::string_view name, std::uint64_t& into) {
    const auto* const member = place->if_contains(name);
    boost::system::error_code failed;
    if (member == nullptr) return false;
    into = member->to_number<std::uint64_t>(failed);
    return !failed && into <= limits::kMaxPosition;
  };
  if (const auto* user = text("user")) {
    found.conversation = {.kind = Conversation::Kind::user, .name = std::string{*user}};
  } else if (const auto* group = text("group")) {
    found.conversation = {.kind = Conversation::Kind::group, .name = std::string{*group}};
  }
  const bool named = found.conversation.kind == Conversation::Kind::all
                         ? place->contains("all")
                         : wire::hub::is_name(found.conversation.name);
  if (!named || !number("epoch", found.position.epoch) || !number("offset", found.position.offset))
    return std::nullopt;
  return found;
}

}  // namespace

std::string format_state(const KeptState& state) {
  boost::json::array positions;
  for (const auto& [conversation, position] : state.positions) {
    boost::json::object place{{"epoch", position.epoch}, {"offset", position.offset}};
    switch (conversation.kind) {
      case Conversation::Kind::user:
        place["user"] = conversation.name;
        break;
      case Conversation::Kind::group:
        place["group"] = conversation.name;
        break;
      case Conversation::Kind::all:
        place["all"] = true;
        break;
    }
    positions.push_back(std::move(place));
  }
  return boost::json::serialize(
             boost::json::object{{"session_token", state.session_token}, {"positions", positions}}) +
         '\n';
}

Result<KeptState> parse_state(std::string_view text) {
  const auto value = wire::json::parse(text, kStateLimits);
  const auto* const object = value ? value->if_object() : nullptr;
  const auto* const token = object == nullptr ? nullptr : object->if_contains("session_token");
  const auto* const positions = object == nullptr ? nullptr : object->if_contains("positions");
  if (token == nullptr || !token->is_string() || positions == nullptr || !positions->is_array())
    return fail(Errc::malformed, "it is no state of a subscription");
  KeptState state{.session_token = std::string{token->get_string()}};
  for (const auto& one : positions->get_array()) {
    auto place = place_of(one);
    if (!place) return fail(Errc::malformed, "it holds a position that is none");
    state.positions.push_back(std::move(*place));
  }
  return state;
}

Result<KeptState> load_state(const std::string& name) {
  const File file{name, O_RDONLY};
  if (file.get() < 0) {
    if (errno == ENOENT) return KeptState{};
    return fail(Errc::io, fmt::format("cannot open {}: {}", name, reason()));
  }
  std::string text;
  std::array<char, 4096> piece{};
  ssize_t got = 0;
  while ((got = ::read(file.get(), piece.data(), piece.size())) > 0 && text.size() <= kLongestState)
    text.append(piece.data(), static_cast<std::size_t>(got));
  if (got < 0) return fail(Errc::io, fmt::format("cannot read {}: {}", name, reason()));
  auto state = text.size() > kLongestState ? fail(Errc::malformed, "it is too long") : parse_state(text);
  if (!state) return fail(Errc::malformed, fmt::format("cannot use {}: {}", name, state.error().message));
  return state;
}

Status save_state(const std::string& name, const KeptState& state) {
  const std::string text = format_state(state);
  const std::string fresh = name + ".new";
  const File file{fresh, O_WRONLY | O_CREAT | O_TRUNC};
  const bool written =
      file.get() >= 0 && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (!written || std::rename(fresh.c_str(), name.c_str()) != 0)
    return fail(Errc::io, fmt::format("cannot write {}: {}", name, reason()));
  return {};
}

}  // namespace sluice::cli
