#include "hub/store/row_check.hpp"

#include <array>
#include <cstring>

#include "core/bytes.hpp"
#include "core/hub_limits.hpp"
#include "core/utf8.hpp"
#include "crypto/short_hash.hpp"
#include "hub/store/row.hpp"
#include "wire/hub/message.hpp"

namespace sluice::hub::store {
namespace {

constexpr crypto::ShortHashKey kKey{std::byte{'r'}, std::byte{'o'}, std::byte{'w'}};

std::int64_t first_half(const crypto::ShortHash& hash) {
  std::int64_t half = 0;
  std::memcpy(&half, hash.data(), sizeof half);
  return half;
}

/// Figures one after the other. Texts go in as their own hashes, so that nothing long is copied and no two
/// rows run together.
template <std::size_t kFigures>
class Sum {
 public:
  void add(std::int64_t figure) {
    std::memcpy(bytes_.data() + size_, &figure, sizeof figure);
    size_ += sizeof figure;
  }
  void add(std::string_view text) { add(checksum_of(text)); }
  [[nodiscard]] std::int64_t total() const {
    return first_half(crypto::short_hash(ByteView{bytes_}.first(size_), kKey));
  }

 private:
  std::array<std::byte, kFigures * sizeof(std::int64_t)> bytes_{};
  std::size_t size_ = 0;
};

bool is_position(std::int64_t epoch, std::int64_t offset) {
  const auto within = [](std::int64_t value) {
    return value >= 0 && static_cast<std::uint64_t>(value) <= limits::kMaxPosition;
  };
  return within(epoch) && within(offset);
}

}  // namespace

std::int64_t checksum_of(std::string_view bytes) {
  return first_half(crypto::short_hash(as_bytes(bytes), kKey));
}

std::int64_t checksum_of(const MessageColumns& row) {
  Sum<12> sum;
  for (const std::int64_t figure : {row.conversation, row.epoch, row.offset, row.goes_at, row.size,
                                    row.sent_at, row.expires_at, row.flags}) {
    sum.add(figure);
  }
  for (const std::string_view text : {row.sender, row.id, row.key, row.content}) sum.add(text);
  return sum.total();
}

std::int64_t checksum_of(const ConversationColumns& row) {
  Sum<9> sum;
  for (const std::int64_t figure : {row.id, row.kind, row.head_epoch, row.head_offset, row.seen_epoch,
                                    row.seen_offset, row.count, row.bytes}) {
    sum.add(figure);
  }
  sum.add(row.name);
  return sum.total();
}

std::int64_t checksum_of(const MarkColumns& row) {
  Sum<5> sum;
  for (const std::int64_t figure : {row.conversation, row.epoch, row.offset, row.used}) sum.add(figure);
  sum.add(row.device);
  return sum.total();
}

std::int64_t checksum_of(const HistoryColumns& row) {
  Sum<3> sum;
  for (const std::int64_t figure : {row.conversation, row.epoch, row.first}) sum.add(figure);
  return sum.total();
}

std::int64_t checksum_of(const ClockRecord& row) {
  Sum<2> sum;
  for (const std::int64_t figure : {row.time, row.wall}) sum.add(figure);
  return sum.total();
}

bool is_sound(const MessageColumns& row) {
  if (!is_position(row.epoch, row.offset) || row.size < 0 || row.sent_at < 0 || row.expires_at < 0)
    return false;
  if ((row.flags & ~(kCriticalFlag | kTextFlag)) != 0) return false;
  for (const std::string_view name : {row.sender, row.id, row.key}) {
    if (!wire::hub::is_label(name, limits::kMaxName)) return false;
  }
  return (row.flags & kTextFlag) == 0 || is_utf8(row.content);
}

bool is_sound(const ConversationColumns& row) {
  const bool has_kind = row.kind >= 0 && row.kind < static_cast<std::int64_t>(kConversationKinds);
  return has_kind && wire::hub::is_label(row.name, limits::kMaxName) &&
         is_position(row.head_epoch, row.head_offset) && is_position(row.seen_epoch, row.seen_offset) &&
         row.count >= 0 && row.bytes >= 0;
}

bool is_sound(const MarkColumns& row) {
  return is_position(row.epoch, row.offset) && is_utf8(row.device);
}

bool is_sound(const HistoryColumns& row) {
  return is_position(row.epoch, row.first);
}

}  // namespace sluice::hub::store
