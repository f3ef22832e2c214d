#include "transport/webrtc/data_channel.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "core/ensure.hpp"
#include "transport/webrtc/data_channels.hpp"

namespace sluice::webrtc {
namespace {

/// What stands for an empty message (RFC 8831 §6.6).
constexpr std::array kEmptyMessage{std::byte{0}};

/// Only what users send counts in `buffered_amount`: neither DCEP nor the byte that stands for nothing.
bool is_counted(PayloadProtocol protocol) {
  return protocol == ppid::kBinary;
}

}  // namespace

DataChannel::DataChannel(DataChannels& channels, StreamId stream, ChannelOptions options, Sending sending)
    : channels_(&channels), stream_(stream), options_(std::move(options)), sending_(sending) {}

DataChannel::~DataChannel() {
  if (channels_ != nullptr) channels_->release(*this);
}

void DataChannel::listen(transport::LinkListener& listener) {
  listener_ = &listener;
  if (channels_ != nullptr) channels_->want_work();
}

Status DataChannel::send(ByteView message) {
  if (state_ != State::open || channels_ == nullptr) {
    if (end_reason_.has_value()) return fail(*end_reason_);
    return fail(Errc::closed, "the channel is closed");
  }
  if (size_of(message) > max_message_size()) {
    return fail(Errc::limit_exceeded,
                fmt::format("a message of {} bytes is more than the {} that the other side takes",
                            message.size(), max_message_size().count()));
  }
  if (buffered_ + size_of(message) > limits::kLinkHardBuffer) {
    return fail(Errc::limit_exceeded, "too much is waiting to be sent");
  }
  buffered_ += size_of(message);
  above_threshold_ = above_threshold_ || buffered_ > low_threshold_;
  ++stats_.messages_sent;
  const bool sent =
      message.empty() ? enqueue(ppid::kBinaryEmpty, kEmptyMessage) : enqueue(ppid::kBinary, message);
  if (!sent) {
    buffered_ -= size_of(message);
    --stats_.messages_sent;
    return fail(Errc::link_lost, "the association is over");
  }
  if (low_is_due()) channels_->want_work();
  return {};
}

bool DataChannel::enqueue(PayloadProtocol protocol, ByteView payload) {
  SctpSend result = SctpSend::would_block;
  if (pending_.empty()) result = channels_->association_.send(as_message(protocol, payload));
  if (result == SctpSend::would_block) pending_.push_back({.payload = to_buffer(payload), .ppid = protocol});
  return result != SctpSend::refused;
}

/// Until the peer has answered the OPEN, everything is ordered behind it (RFC 8832 §6), and DCEP always is.
SctpMessage DataChannel::as_message(PayloadProtocol protocol, ByteView payload) const {
  const bool in_order = protocol == ppid::kDcep || sending_ == Sending::ordered_until_acknowledged;
  return {.stream = stream_,
          .ppid = protocol,
          .order = in_order ? SctpOrder::ordered : options_.order,
          .payload = payload};
}

void DataChannel::pump() {
  while (!pending_.empty()) {
    const Pending& next = pending_.front();
    const SctpSend result = channels_->association_.send(as_message(next.ppid, next.payload));
    if (result != SctpSend::accepted) return;  // When refused, the association's end is about to be told.
    pending_.pop_front();
  }
}

void DataChannel::transmitted(const SctpTransmission& sent) {
  if (!is_counted(sent.ppid)) return;
  buffered_ -= sent.payload;
  stats_.sent += sent.payload;
  if (low_is_due()) channels_->want_work();
}

void DataChannel::announce_low() {
  if (listener_ == nullptr || state_ == State::closed || !low_is_due()) return;
  above_threshold_ = false;
  listener_->on_buffered_amount_low();
}

void DataChannel::set_buffered_amount_low_threshold(Bytes threshold) {
  const bool was_due = low_is_due();  // The crossing has happened and only waits to be told.
  low_threshold_ = threshold;
  above_threshold_ = was_due || buffered_ > threshold;
}

void DataChannel::deliver(ByteView message) {
  stats_.received += size_of(message);
  ++stats_.messages_received;
  if (listener_ != nullptr && held_.empty()) {
    listener_->on_message(message);
    return;
  }
  held_bytes_ += size_of(message) + kHeldOverhead;
  held_.push_back(to_buffer(message));
  if (is_holding_too_much()) channels_->stop_reading();
}

void DataChannel::deliver_held() {
  while (listener_ != nullptr && !held_.empty()) {
    const ByteBuffer message = std::move(held_.front());
    held_.pop_front();
    held_bytes_ -= size_of(message) + kHeldOverhead;
    listener_->on_message(message);
  }
}

void DataChannel::end(const Error& reason) {
  if (end_reason_.has_value()) return;
  state_ = State::closed;
  end_reason_ = reason;
  pending_.clear();
  buffered_ = Bytes{};
  if (channels_ != nullptr) channels_->want_work();
}

void DataChannel::tell_end() {
  if (!end_reason_.has_value() || listener_ == nullptr || !held_.empty() || std::exchange(end_told_, true))
    return;
  listener_->on_closed(*end_reason_);
}

void DataChannel::close() {
  if (state_ != State::open || channels_ == nullptr) return;
  state_ = State::closing;
  channels_->close(*this);
}

Bytes DataChannel::max_message_size() const {
  return channels_ != nullptr ? channels_->terms_.max_message_size : Bytes{};
}

transport::LinkStats DataChannel::stats() const {
  transport::LinkStats out = stats_;
  if (channels_ != nullptr) out.round_trip = channels_->association_.stats().round_trip;
  return out;
}

transport::Path DataChannel::path() const {
  return owner_ != nullptr ? owner_->path() : transport::Path{};
}

}  // namespace sluice::webrtc
