// How a session sends: the gate, owed packets, then data in fair turns.
#include <algorithm>
#include <span>
#include <utility>

#include "core/ensure.hpp"
#include "peer/tunnel/session.hpp"

namespace sluice::tunnel {

namespace {

using namespace literals;

/// What the smallest message counts for in a turn: making one costs about as much CPU as copying so many
/// bytes.
constexpr Bytes kMessageCost = 1_KiB;
/// A link's round trip changes slowly, and asking for it may be a system call.
constexpr auto kRoundTripAge = std::chrono::milliseconds{20};

}  // namespace

bool Session::has_output() const {
  if (ended_ || link_end_) return false;
  return owes_hello_ || !owing_.empty() || !refusals_.empty() || !fair_.empty();
}

/// Sends what may be sent now. The session is the one writer of its link, and so the gate's one waiter: a
/// ticket that waits is older than the stall limit when the link has let nothing through for so long.
void Session::send(TimePoint now) {
  wants_turn_ = false;
  if (has_output()) {
    if (pass_gate(now)) send_turn(now);
  } else if (ticket_) {
    (void)gate_.cancel(*std::exchange(ticket_, std::nullopt), now);  // what waited is gone
  }
  finish_drain(now);
}

bool Session::pass_gate(TimePoint now) {
  (void)gate_.set(link_.buffered_amount(), now);
  if (!ticket_) {
    const auto ticket = gate_.enter(now);
    ENSURE(ticket.has_value());
    ticket_ = *ticket;
  }
  return gate_.next(now).has_value();
}

void Session::send_turn(TimePoint now) {
  Bytes spent;
  while (has_output() && gate_.is_open() && !wants_turn_) {
    spent += std::max(send_next(now), kMessageCost);
    wants_turn_ = spent >= limits::kTurnBytes && has_output();
  }
  if (ended_) return;
  gate_.leave(*std::exchange(ticket_, std::nullopt));
  if (wants_turn_ || !has_output()) return;
  const auto ticket = gate_.enter(now);
  ENSURE(ticket.has_value());
  ticket_ = *ticket;
}

Bytes Session::send_next(TimePoint now) {
  if (std::exchange(owes_hello_, false)) {
    return send_packet(
        wire::Hello{.first_window = static_cast<std::uint32_t>(options_.window.first.count()),
                    .largest_payload = static_cast<std::uint32_t>(limits::kMaxPayload.count())},
        now);
  }
  if (!refusals_.empty()) {
    const Refusal refusal = std::move(refusals_.front());
    refusals_.pop_front();
    totals_.closes_sent.count(refusal.reason);
    return send_packet(
        wire::Close{.socket = refusal.id, .sequence = {}, .reason = refusal.reason, .text = refusal.text},
        now);
  }
  return owing_.empty() ? send_data(now) : send_owed(now);
}

Bytes Session::send_owed(TimePoint now) {
  Entry& entry = *owing_.front();
  const wire::Packet packet = entry.stream.next_packet(now, round_trip(now));
  // Encoded before the stream is settled: its texts go with it.
  packet_.clear();
  wire::encode(packet, packet_);
  settle(entry, now);
  return send_message(packet_, now);
}

Bytes Session::send_data(TimePoint now) {
  const auto turn = fair_.next();
  ENSURE(turn.has_value());
  Entry& entry = streams_.at(turn->key);
  Stream& stream = entry.stream;
  const std::size_t room = std::min({turn->allowance, stream.credit(), payload_}).count();
  const std::span<std::byte> data{data_};
  const std::size_t size = stream.pull(data.subspan(wire::kHeaderSize, room), now);
  if (size == 0) {
    settle(entry, now);
    return {};
  }
  wire::write_data_header(data.first<wire::kHeaderSize>(),
                          {.socket = stream.id(), .sequence = stream.take_sequence()});
  fair_.charge(stream.id(), Bytes{size});
  settle(entry, now);
  return send_message(data.first(wire::kHeaderSize + size), now);
}

Bytes Session::send_packet(const wire::Packet& packet, TimePoint now) {
  packet_.clear();
  wire::encode(packet, packet_);
  return send_message(packet_, now);
}

Bytes Session::send_message(ByteView message, TimePoint now) {
  if (auto sent = link_.send(message); !sent) {
    end(std::move(sent.error()), now);
    return {};
  }
  (void)gate_.set(link_.buffered_amount(), now);
  return size_of(message);
}

std::optional<Duration> Session::round_trip(TimePoint now) {
  if (!round_trip_ || now - round_trip_at_ >= kRoundTripAge) {
    round_trip_ = link_.stats().round_trip;
    round_trip_at_ = now;
  }
  return round_trip_;
}

}  // namespace sluice::tunnel
