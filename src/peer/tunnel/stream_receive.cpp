// The half of a stream from the channel to the socket.
#include <algorithm>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "core/ensure.hpp"
#include "peer/tunnel/stream.hpp"

namespace sluice::tunnel {

namespace {

wire::Sequence sequence_of(const wire::Packet& packet) {
  return std::visit(
      [](const auto& p) {
        if constexpr (requires { p.sequence; }) return p.sequence;
        return wire::Sequence{};
      },
      packet);
}

}  // namespace

Status Stream::receive(const wire::Packet& packet, ByteView message, TimePoint now) {
  if (phase_ == Phase::ended) {
    totals_.ignore(Ignored::closed_socket);
    return {};
  }
  const wire::Sequence sequence = sequence_of(packet);
  const auto place = reassembler_.place(sequence);
  if (place == Reassembler::Place::duplicate) {
    totals_.ignore(Ignored::duplicate);
    return {};
  }
  if (place == Reassembler::Place::beyond) return violation("a packet is too far ahead of those before it");
  if (const auto* data = std::get_if<wire::Data>(&packet)) {
    const Bytes size = size_of(data->payload);
    if (auto room = receive_window_.receive(size, now); !room) return violation(room.error().message);
    ++totals_.data_received;
    totals_.received += size;
    totals_.held += size;
    totals_.held_peak = std::max(totals_.held_peak, totals_.held);
  }
  if (place == Reassembler::Place::early) {
    reassembler_.hold(sequence, message);
    ++totals_.early;
    ++totals_.waiting;
    return {};
  }
  reassembler_.advance();
  if (auto delivered = deliver(packet); !delivered) return delivered;
  while (phase_ != Phase::ended) {
    const auto held = reassembler_.take();
    if (!held) break;
    --totals_.waiting;
    const auto early = wire::decode(*held);
    ENSURE(early.has_value());  // it was decoded when it came
    if (auto delivered = deliver(*early); !delivered) return delivered;
  }
  return {};
}

Status Stream::deliver(const wire::Packet& packet) {
  if (phase_ == Phase::closing) return violation("a packet follows CLOSE");
  if (phase_ == Phase::unopened && !std::holds_alternative<wire::Connect>(packet)) {
    return violation("its first packet is not CONNECT");
  }
  if (awaits_accept() && !std::holds_alternative<wire::Accept>(packet) &&
      !std::holds_alternative<wire::Close>(packet)) {
    return violation("its first packet is neither ACCEPT nor CLOSE");
  }
  return std::visit(
      [this](const auto& p) -> Status {
        using P = std::remove_cvref_t<decltype(p)>;
        if constexpr (std::is_same_v<P, wire::Connect>) return deliver_connect(p.target);
        if constexpr (std::is_same_v<P, wire::Accept>) return deliver_accept();
        if constexpr (std::is_same_v<P, wire::Data>) return deliver_data(p.payload);
        if constexpr (std::is_same_v<P, wire::Fin>) return deliver_fin();
        if constexpr (std::is_same_v<P, wire::Close>) deliver_close(p);
        return {};
      },
      packet);
}

Status Stream::deliver_connect(std::string_view target) {
  if (phase_ != Phase::unopened) return violation("a CONNECT for a socket that is open");
  phase_ = Phase::opening;
  text_ = target;
  return {};
}

Status Stream::deliver_accept() {
  if (!awaits_accept()) return violation("an ACCEPT for a socket that is open");
  phase_ = Phase::open;
  return {};
}

Status Stream::deliver_data(ByteView payload) {
  if (got_fin_) return violation("DATA follows FIN");
  const std::size_t written = held_.empty() && socket_ ? write(payload) : 0;
  if (phase_ != Phase::ended) held_.append(payload.subspan(written));
  return {};
}

Status Stream::deliver_fin() {
  if (got_fin_) return violation("a second FIN");
  got_fin_ = true;
  owed_.window = false;
  settle_receiving();
  return {};
}

void Stream::deliver_close(const wire::Close& packet) {
  totals_.closes_received.count(packet.reason);
  end_ = {.by = StreamEnd::By::remote, .reason = packet.reason, .text = std::string{packet.text}};
  // The peer has forgotten this stream: whatever is owed would be ignored there.
  owed_ = {};
  // Bytes for a target that is still being dialled are not worth the dial: their sender is gone.
  if (!socket_) {
    phase_ = Phase::ended;
    forget_received();
    return;
  }
  phase_ = Phase::closing;
  settle_receiving();
}

std::size_t Stream::write(ByteView bytes) {
  const Transfer done = socket_->write_some(bytes);
  if (done.status == Transfer::Status::reset || done.status == Transfer::Status::failed) {
    socket_broke(done.status);
    return 0;
  }
  consumed(done.count);
  return done.count;
}

void Stream::consumed(std::size_t bytes) {
  totals_.held -= Bytes{bytes};
  totals_.delivered += Bytes{bytes};
  if (receive_window_.consume(Bytes{bytes}) && !got_fin_ && phase_ != Phase::closing) owed_.window = true;
}

void Stream::on_writable() {
  if (!socket_) return;
  while (!held_.empty()) {
    const ByteView front = held_.front();
    const std::size_t written = write(front);
    if (phase_ == Phase::ended) return;
    held_.pop(written);
    if (written < front.size()) return;
  }
  settle_receiving();
}

void Stream::settle_receiving() {
  if (!socket_ || !held_.empty()) return;
  if (phase_ == Phase::closing) {
    end_socket(end_.reason);
    phase_ = Phase::ended;
  } else if (got_fin_ && !shut_) {
    socket_->shutdown_send();
    shut_ = true;
  }
}

Status Stream::receive_window(std::uint64_t total, TimePoint now) {
  if (phase_ == Phase::ended || phase_ == Phase::closing) {
    totals_.ignore(Ignored::closed_socket);
    return {};
  }
  const std::uint64_t stale = send_window_.stats(now).stale;
  if (auto taken = send_window_.on_window(total, now); !taken) return violation(taken.error().message);
  if (send_window_.stats(now).stale != stale) totals_.ignore(Ignored::stale_window);
  return {};
}

}  // namespace sluice::tunnel
