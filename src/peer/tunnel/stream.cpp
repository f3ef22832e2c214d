#include "peer/tunnel/stream.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

#include "core/ensure.hpp"

namespace sluice::tunnel {

Stream::Stream(Options options, flow::ReceiveWindow window, StreamTotals& totals)
    : options_(options),
      totals_(totals),
      phase_(Phase::unopened),
      receive_window_(std::move(window)),
      send_window_(options.first_send_window) {
  ++totals_.opened;
}

Stream::Stream(Options options, flow::ReceiveWindow window, StreamTotals& totals,
               std::unique_ptr<Socket> socket, std::string target)
    : Stream(options, std::move(window), totals) {
  socket_ = std::move(socket);
  phase_ = Phase::opening;
  owed_.connect = true;
  text_ = std::move(target);
}

Stream::~Stream() {
  if (socket_) {
    if (sent_fin_ && shut_) {
      socket_->close();
    } else {
      socket_->reset();
    }
  }
  forget_received();
  ++totals_.finished;
}

// --- opening --------------------------------------------------------------------------------------------

std::optional<std::string> Stream::take_request() {
  if (!dialing() || connect_sent_) return std::nullopt;
  connect_sent_ = true;
  return std::exchange(text_, {});
}

void Stream::connected(std::unique_ptr<Socket> socket) {
  ENSURE(dialing());
  socket_ = std::move(socket);
  phase_ = Phase::open;
  owed_.accept = true;
  on_writable();
}

// --- socket -> channel ----------------------------------------------------------------------------------

bool Stream::can_send() const {
  return readable_ && !sent_fin_ && socket_ && (phase_ == Phase::open || phase_ == Phase::opening) &&
         credit() > Bytes{};
}

std::size_t Stream::pull(ByteSpan into, TimePoint now) {
  ENSURE(can_send() && !into.empty() && size_of(into) <= credit());
  const Transfer got = socket_->read_some(into);
  if (got.count < into.size()) readable_ = false;
  switch (got.status) {
    case Transfer::Status::ok: {
      const Bytes size{got.count};
      send_window_.spend(size, now);
      totals_.sent += size;
      ++totals_.data_sent;
      return got.count;
    }
    case Transfer::Status::would_block:
      return 0;
    case Transfer::Status::end:
      sent_fin_ = true;
      owed_.fin = true;
      return 0;
    case Transfer::Status::reset:
    case Transfer::Status::failed:
      socket_broke(got.status);
      return 0;
  }
  return 0;
}

wire::Sequence Stream::take_sequence() {
  return std::exchange(next_sequence_, next_sequence_.next());
}

bool Stream::owes_packet() const {
  return owed_.connect || owed_.accept || owed_.window || owed_.fin || owed_.close;
}

wire::Packet Stream::next_packet(TimePoint now, std::optional<Duration> round_trip) {
  ENSURE(owes_packet());
  if (std::exchange(owed_.connect, false)) {
    connect_sent_ = true;
    (void)take_sequence();  // 0, as the wire has it
    return wire::Connect{.socket = id(), .target = text_};
  }
  if (std::exchange(owed_.accept, false)) return wire::Accept{.socket = id(), .sequence = take_sequence()};
  if (std::exchange(owed_.window, false)) {
    return wire::Window{.socket = id(), .total = receive_window_.update(now, round_trip)};
  }
  if (std::exchange(owed_.fin, false)) return wire::Fin{.socket = id(), .sequence = take_sequence()};
  owed_.close = false;
  totals_.closes_sent.count(end_.reason);
  return wire::Close{.socket = id(),
                     .sequence = take_sequence(),
                     .reason = end_.reason,
                     .text = wire::fit_close_text(end_.text)};
}

// --- the end --------------------------------------------------------------------------------------------

void Stream::close(wire::CloseReason reason, std::string text) {
  if (phase_ == Phase::ended) return;
  // After the peer's CLOSE it knows nothing of this stream; before our CONNECT it never did.
  const bool known = phase_ != Phase::closing && !owed_.connect && !link_gone_;
  phase_ = Phase::ended;
  owed_ = {.close = known};
  end_ = {.by = StreamEnd::By::local, .reason = reason, .text = std::move(text)};
  end_socket(reason);
  forget_received();
}

bool Stream::outlive_link() {
  const bool both_fins = phase_ == Phase::open && got_fin_ && sent_fin_ && !owed_.fin;
  if (!socket_ || !(both_fins || phase_ == Phase::closing)) return false;
  link_gone_ = true;
  owed_ = {};
  return true;
}

void Stream::socket_broke(Transfer::Status how) {
  if (how == Transfer::Status::reset) {
    close(wire::CloseReason::reset, "the connection was reset");
  } else {
    close(wire::CloseReason::internal, "the connection failed");
  }
}

void Stream::end_socket(wire::CloseReason reason) {
  const auto socket = std::move(socket_);
  if (!socket) return;
  if (reason == wire::CloseReason::normal) {
    socket->close();
  } else {
    socket->reset();
  }
}

void Stream::forget_received() {
  totals_.held -= receive_window_.held();
  totals_.discarded += receive_window_.held();
  (void)receive_window_.consume(receive_window_.held());
  held_.clear();
  totals_.waiting -= reassembler_.held();
  reassembler_ = Reassembler{};
}

bool Stream::finished() const {
  if (owes_packet()) return false;
  return phase_ == Phase::ended || (phase_ == Phase::open && sent_fin_ && shut_);
}

StreamStats Stream::stats() const {
  return {.sent = send_window_.stats({}).spent,
          .received = receive_window_.stats().received,
          .held = receive_window_.held(),
          .send_credit = credit(),
          .receive_window = receive_window_.window()};
}

std::unexpected<Error> Stream::violation(std::string_view what) const {
  return fail(Errc::protocol_violation, "socket " + std::to_string(id().value) + ": " + std::string{what});
}

}  // namespace sluice::tunnel
