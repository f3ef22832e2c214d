#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/admission_limits.hpp"
#include "core/hub_limits.hpp"
#include "core/limits.hpp"
#include "transport/address_block.hpp"
#include "transport/fair_slots.hpp"

namespace sluice::websocket {

struct AdmissionLimits {
  std::size_t connections = limits::kMaxConnections;
  std::size_t page_reserve = limits::kPageReserve;  ///< Beyond `connections`, for pages alone.
  std::size_t connections_per_address = limits::kMaxConnectionsPerAddress;
  std::size_t connections_per_network = limits::kMaxConnectionsPerNetwork;  ///< Of an IPv6 /48.
  std::size_t handshakes = limits::kPendingHandshakes;  ///< Connections whose request has not been read yet.
  /// From accept to the end of the request.
  transport::Patience request{.longest = limits::kHandshakeTimeout, .shortest = limits::kShortestPatience};
  /// Whether this machine's own addresses (127.0.0.0/8, ::1) may have connections without number, up to the
  /// total: from there come a proxy with everybody's, and load tests. Their handshakes count as all others
  /// do.
  enum class Loopback : std::uint8_t { unlimited, as_others };
  Loopback loopback = Loopback::unlimited;
  /// Those who are not let in are told to come back after these, and the seconds between, in turn.
  std::chrono::seconds retry_after_min = limits::kRetryAfterMin;
  std::chrono::seconds retry_after_max = limits::kRetryAfterMax;
};

/// Whom a connection counts under.
struct AdmissionSource {
  transport::AddressBlocks blocks{};
  /// `exempt`: it has no share of connections; a trusted proxy until it has said who its client is.
  enum class Share : std::uint8_t { counted, exempt };
  Share share = Share::counted;
};

/// Which connections a server lets in: how many there are, in all and from each address, and which of those
/// that still shake hands, or have their answer and have not hung up, gives way to a newcomer (`FairSlots`).
///
/// Sans-I/O. A connection has a number that is never used twice.
class Admission {
 public:
  using Id = transport::FairSlots::Id;
  enum class Verdict : std::uint8_t { admitted, full, address_full, network_full };
  struct Decision {
    Verdict verdict = Verdict::admitted;
    /// These have left: their connections are to be closed.
    std::vector<Id> give_way{};
  };

  explicit Admission(AdmissionLimits limits) : limits_(limits), handshakes_(limits.handshakes) {}

  [[nodiscard]] Decision enter(Id id, AdmissionSource from, TimePoint now);
  /// A trusted proxy has said whose connection it is. Anything but `admitted`: that client has as many as it
  /// may have, and this one still counts as it did.
  [[nodiscard]] Verdict identify(Id id, AdmissionSource client);
  /// The one that leaves so that there are descriptors again.
  [[nodiscard]] std::optional<Id> make_way();
  /// Its request has been read. Nothing happens for one that gave way.
  void handshake_ended(Id id) { handshakes_.give_back(id); }
  /// All of its answer has been sent, and it has only to hang up: where all are taken it gives way first. The
  /// same for one that gave way.
  void answered(Id id, TimePoint now);
  /// The same.
  void leave(Id id);

  /// For those that enter from now on: who is in stays, and counts.
  void set_limits(AdmissionLimits limits);

  /// Nothing but pages is to be served to a connection beyond the total.
  [[nodiscard]] bool is_beyond_total() const { return members_.size() > limits_.connections; }
  [[nodiscard]] std::size_t connections() const { return members_.size(); }
  [[nodiscard]] std::size_t handshakes() const { return handshakes_.size(); }
  [[nodiscard]] std::size_t addresses() const { return per_block_.size(); }

 private:
  [[nodiscard]] Verdict room_for(const AdmissionSource& from) const;
  [[nodiscard]] Verdict room_in_all() const;
  [[nodiscard]] std::optional<Id> make_room(const AdmissionSource& from, Verdict lacking);
  void count_in(const AdmissionSource& from);
  void count_out(const AdmissionSource& from);
  [[nodiscard]] std::size_t held(const std::string& block) const;

  AdmissionLimits limits_;
  transport::FairSlots handshakes_;
  transport::FairSlots answered_{
      0};  ///< Bounded by the members; only the order in which they give way counts.
  std::unordered_map<Id, AdmissionSource> members_;
  std::unordered_map<std::string, std::size_t> per_block_;  ///< Connections, by narrow and by wide blocks.
};

/// For people: what there are too many of.
[[nodiscard]] std::string_view name_of(Admission::Verdict verdict);

}  // namespace sluice::websocket
