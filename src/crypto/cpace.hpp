#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "crypto/secret.hpp"

/// CPace over ristretto255 with SHA-512 (draft-irtf-cfrg-cpace, CPACE-RISTR255-SHA512): two who share a short
/// password come by a strong key, and somebody between them gains one guess at the password an exchange, no
/// more.
namespace sluice::crypto::cpace {

inline constexpr std::size_t kElementSize = 32;
/// A group element as it travels. Not a secret.
using Element = std::array<std::byte, kElementSize>;
/// The intermediate session key: what further keys are derived from, with proof that both sides have it.
using SessionKey = Secret<64>;

/// One side's secret exponent, for one exchange only.
class Scalar {
 public:
  [[nodiscard]] static Scalar random();
  [[nodiscard]] std::span<const std::byte, 32> expose() const { return bytes_.expose(); }

 private:
  friend struct FixedScalar;  // in the tests: published vectors name their scalars
  explicit Scalar(Secret<32> bytes) : bytes_(std::move(bytes)) {}
  Secret<32> bytes_;
};

/// What both sides bring along and must have alike, or their keys differ: the password (PRS in the draft),
/// the parties and the purpose (CI), a value that is fresh for each exchange (sid).
struct Inputs {
  ByteView password;
  ByteView channel;
  ByteView session;
};

/// Who sent the first share. The key depends on the order.
enum class Role : std::uint8_t { initiator, responder };

/// Data that each side binds to its share (ADa, ADb in the draft); may be empty.
struct AssociatedData {
  ByteView initiator{};
  ByteView responder{};
};

/// One side of one exchange: send `share`, take the other's, have the key.
class Exchange {
 public:
  Exchange(Role role, const Inputs& inputs, Scalar scalar);

  [[nodiscard]] const Element& share() const { return share_; }

  /// The key, from the other side's share. Errors: `malformed` when that is no element of the group, or the
  /// neutral one, which would make the key known to anybody (draft §6.2: abort). Consumes the exchange.
  [[nodiscard]] Result<SessionKey> finish(const Element& far_share, const AssociatedData& data = {}) &&;

 private:
  Role role_;
  ByteBuffer session_;
  Scalar scalar_;
  Element share_;
};

}  // namespace sluice::crypto::cpace
