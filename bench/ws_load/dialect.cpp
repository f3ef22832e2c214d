#include "bench/ws_load/dialect.hpp"

#include <variant>

#include <fmt/format.h>

#include "wire/hub/codec.hpp"
#include "wire/hub/message.hpp"

namespace sluice::ws_load {
namespace {

using wire::hub::Encoding;
using wire::hub::Reason;

constexpr std::string_view kRoom = "room";

ByteBuffer encoded(const wire::hub::FromClient& message) {
  ByteBuffer out;
  wire::hub::append(out, Encoding::proto, message);
  return out;
}

std::string words(std::string_view what, Reason reason, std::string_view message) {
  return fmt::format("{}: {}: {}", what, wire::hub::name_of(reason), message);
}

class HubDialect final : public Dialect {
 public:
  explicit HubDialect(Room room) : room_(room) {}

  [[nodiscard]] std::string_view path() const override { return "/v1/hub"; }
  [[nodiscard]] std::string_view subprotocol() const override { return wire::hub::kProtoSubprotocol; }
  [[nodiscard]] std::optional<ByteBuffer> greeting(std::size_t client) const override {
    return encoded(wire::hub::Hello{.user = fmt::format("client-{}", client), .agent = "bench"});
  }
  [[nodiscard]] ByteBuffer publish(std::size_t client, std::uint64_t number,
                                   ByteView content) const override {
    return encoded(wire::hub::Publish{
        .seq = number,
        .id = fmt::format("{}-{}", client, number),
        .to = {.kind = wire::hub::Conversation::Kind::group, .name = std::string{kRoom}},
        .content = {.kind = wire::hub::Content::Kind::data, .bytes = std::string{as_text(content)}}});
  }
  [[nodiscard]] Heard hear(ByteView message) const override {
    const auto said = wire::hub::decode_from_hub(Encoding::proto, message);
    if (!said) return {.refusal = said.error().message};
    if (std::holds_alternative<wire::hub::Welcome>(*said)) {
      if (room_ == Room::none) return {.ready = true};
      return {.answer = encoded(wire::hub::Join{.group = std::string{kRoom}})};
    }
    if (std::holds_alternative<wire::hub::Joined>(*said)) return {.ready = true};
    if (const auto* gap = std::get_if<wire::hub::Gap>(&*said)) return {.dropped = gap->count};
    if (const auto* kick = std::get_if<wire::hub::Kick>(&*said))
      return {.refusal = words("kick", kick->reason, kick->message)};
    if (const auto* error = std::get_if<wire::hub::Refusal>(&*said))
      return {.refusal = words("error", error->reason, error->message)};
    if (const auto* receipt = std::get_if<wire::hub::Receipt>(&*said);
        receipt != nullptr && receipt->reason != Reason::none)
      return {.refusal = words("receipt", receipt->reason, receipt->message)};
    return {};
  }

 private:
  Room room_;
};

class PlainDialect final : public Dialect {
 public:
  [[nodiscard]] std::string_view path() const override { return "/"; }
  [[nodiscard]] std::string_view subprotocol() const override { return {}; }
  [[nodiscard]] std::optional<ByteBuffer> greeting(std::size_t /*client*/) const override {
    return std::nullopt;
  }
  [[nodiscard]] ByteBuffer publish(std::size_t /*client*/, std::uint64_t /*number*/,
                                   ByteView content) const override {
    return to_buffer(content);
  }
  [[nodiscard]] Heard hear(ByteView /*message*/) const override {
    return {.refusal = "a message that nobody has sent"};
  }
};

}  // namespace

std::unique_ptr<Dialect> hub_dialect(Room room) {
  return std::make_unique<HubDialect>(room);
}
std::unique_ptr<Dialect> plain_dialect() {
  return std::make_unique<PlainDialect>();
}

}  // namespace sluice::ws_load
