#include "wire/hub/peek.hpp"

#include <cstddef>
#include <cstdint>

namespace sluice::wire::hub {
namespace {

/// Field numbers of proto/sluice/v1/envelope.proto.
constexpr std::uint64_t kDelivery = 21;
constexpr std::uint64_t kEpoch = 4;
constexpr std::uint64_t kOffset = 5;
constexpr std::uint64_t kContent = 7;
constexpr std::uint64_t kReplayed = 10;
constexpr std::uint64_t kRequest = 11;
constexpr std::uint64_t kData = 1;
constexpr std::uint64_t kText = 2;

/// Protobuf's wire types 0 (varint) and 2 (with a length), which are all that the schema has.
struct Field {
  std::uint64_t number = 0;
  std::uint64_t value = 0;  ///< Of a varint.
  ByteView bytes{};         ///< Of one with a length.
};

class Fields {
 public:
  explicit Fields(ByteView message) : rest_(message) {}

  [[nodiscard]] bool done() const { return rest_.empty(); }
  std::optional<Field> next() {
    const auto tag = varint();
    if (!tag) return std::nullopt;
    Field field{.number = *tag >> 3};
    const auto value = varint();
    if (!value) return std::nullopt;
    switch (*tag & 7) {
      case 0:
        field.value = *value;
        return field;
      case 2:
        if (*value > rest_.size()) return std::nullopt;
        field.bytes = rest_.first(static_cast<std::size_t>(*value));
        rest_ = rest_.subspan(field.bytes.size());
        return field;
      default:
        return std::nullopt;
    }
  }

 private:
  std::optional<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < rest_.size() && i < 10; ++i) {
      const auto byte = std::to_integer<std::uint64_t>(rest_[i]);
      value |= (byte & 0x7F) << (7 * i);
      if ((byte & 0x80) == 0) {
        rest_ = rest_.subspan(i + 1);
        return value;
      }
    }
    return std::nullopt;
  }

  ByteView rest_;
};

}  // namespace

std::optional<DeliveryGlance> glance_at_delivery(ByteView envelope) {
  Fields outer{envelope};
  const auto body = outer.next();
  if (!body || body->number != kDelivery || !outer.done()) return std::nullopt;
  DeliveryGlance glance;
  for (Fields fields{body->bytes}; !fields.done();) {
    const auto field = fields.next();
    if (!field) return std::nullopt;
    switch (field->number) {
      case kEpoch:
        glance.position.epoch = field->value;
        break;
      case kOffset:
        glance.position.offset = field->value;
        break;
      case kReplayed:
        glance.replayed = field->value != 0;
        break;
      case kRequest:
        return std::nullopt;
      case kContent: {
        Fields inner{field->bytes};
        const auto of = inner.done() ? std::nullopt : inner.next();
        if (!of || (of->number != kData && of->number != kText) || !inner.done()) return std::nullopt;
        glance.content = of->bytes;
        break;
      }
      default:
        break;
    }
  }
  return glance;
}

}  // namespace sluice::wire::hub
