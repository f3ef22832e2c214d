#include "peer/tunnel/reassembler.hpp"

#include <utility>

#include "core/ensure.hpp"

namespace sluice::tunnel {

Reassembler::Place Reassembler::place(wire::Sequence sequence) const {
  const std::int32_t distance = ahead(sequence);
  if (distance == 0) return Place::next;
  if (distance < 0) return Place::duplicate;
  if (static_cast<std::size_t>(distance) >= max_ahead_) return Place::beyond;
  return early_.contains(next_ + static_cast<std::uint64_t>(distance)) ? Place::duplicate : Place::early;
}

void Reassembler::hold(wire::Sequence sequence, ByteView message) {
  ENSURE(place(sequence) == Place::early);
  early_.emplace(next_ + static_cast<std::uint64_t>(ahead(sequence)), to_buffer(message));
}

std::optional<ByteBuffer> Reassembler::take() {
  if (early_.empty() || early_.begin()->first != next_) return std::nullopt;
  auto node = early_.extract(early_.begin());
  advance();
  return std::move(node.mapped());
}

}  // namespace sluice::tunnel
