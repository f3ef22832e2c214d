#include "transport/webrtc/data_channels.hpp"

#include <algorithm>
#include <utility>

#include "core/ensure.hpp"
#include "core/limits.hpp"

namespace sluice::webrtc {
namespace {

/// The DTLS client opens on even streams, the server on odd ones (RFC 8832 §6).
StreamId first_stream_of(DtlsRole role) {
  return role == DtlsRole::client ? 0 : 1;
}

Error closed_in_good_order() {
  return {.code = Errc::closed, .message = "the channel was closed"};
}

}  // namespace

DataChannels::DataChannels(SctpAssociation& association, DataChannelsListener& listener, const Terms& terms)
    : association_(association), listener_(listener), terms_(terms) {}

DataChannels::~DataChannels() {
  for (DataChannel* channel : channels_) {
    if (channel != nullptr) channel->channels_ = nullptr;
  }
}

DataChannels::Stream* DataChannels::find(StreamId id) {
  const auto found = std::ranges::find(streams_, id, &Stream::id);
  return found != streams_.end() ? &*found : nullptr;
}

std::optional<StreamId> DataChannels::free_stream() {
  if (streams_.size() >= limits::kMaxChannels) return std::nullopt;
  StreamId id = first_stream_of(terms_.role);
  while (find(id) != nullptr) id = static_cast<StreamId>(id + 2);  // Few channels: far below `kSctpStreams`.
  return id;
}

Status DataChannels::open(ChannelOptions options) {
  const std::optional<StreamId> id = free_stream();
  if (!id.has_value()) return fail(Errc::limit_exceeded, "too many data channels");
  const DcepOpen first{.order = options.order, .label = options.label, .protocol = options.protocol};
  hand_out(std::move(options), *id, DataChannel::Sending::ordered_until_acknowledged, first);
  return {};
}

void DataChannels::hand_out(ChannelOptions options, StreamId id, DataChannel::Sending sending,
                            const DcepMessage& first) {
  std::unique_ptr<DataChannel> channel{new DataChannel{*this, id, std::move(options), sending}};
  streams_.push_back({.id = id, .channel = channel.get()});
  channels_.push_back(channel.get());
  channel->enqueue(ppid::kDcep, write_dcep(first));
  listener_.on_channel(std::move(channel));
}

void DataChannels::on_message(const SctpMessage& message) {
  if (message.ppid == ppid::kDcep) return on_dcep(message);
  Stream* stream = find(message.stream);
  if (stream == nullptr || stream->channel == nullptr) {
    ++stats_.unknown_stream;
    return;
  }
  DataChannel& channel = *stream->channel;
  // The peer uses the stream, so it has seen the OPEN (RFC 8832 §6).
  channel.sending_ = DataChannel::Sending::as_agreed;
  switch (message.ppid) {
    case ppid::kBinary:
    case ppid::kString:
      return channel.deliver(message.payload);
    case ppid::kBinaryEmpty:
    case ppid::kStringEmpty:
      return channel.deliver({});
    default:
      ++stats_.unknown_ppid;
  }
}

void DataChannels::on_dcep(const SctpMessage& message) {
  Result<DcepMessage> parsed = parse_dcep(message.payload);
  if (!parsed) {
    ++stats_.malformed_dcep;
    return;
  }
  if (auto* open = std::get_if<DcepOpen>(&*parsed)) return on_open(message.stream, std::move(*open));
  Stream* stream = find(message.stream);
  if (stream != nullptr && stream->channel != nullptr) {
    stream->channel->sending_ = DataChannel::Sending::as_agreed;
  } else {
    ++stats_.unknown_stream;
  }
}

/// A peer that asks for limited reliability gets full reliability: more than it asked for.
void DataChannels::on_open(StreamId id, DcepOpen open) {
  const bool own_parity = id % 2 == first_stream_of(terms_.role);
  if (own_parity || find(id) != nullptr || streams_.size() >= limits::kMaxChannels) {
    ++stats_.refused_opens;
    // Refusing is resetting (RFC 8832 §6); a stream in use is left to its channel.
    if (find(id) == nullptr && streams_.size() < 2 * limits::kMaxChannels) {
      streams_.push_back({.id = id, .outgoing = Stream::Outgoing::reset_wanted});
      want_work();
    }
    return;
  }
  ChannelOptions options{
      .label = std::move(open.label), .protocol = std::move(open.protocol), .order = open.order};
  hand_out(std::move(options), id, DataChannel::Sending::as_agreed, DcepAck{});
}

void DataChannels::on_transmitted(const SctpTransmission& sent) {
  Stream* stream = find(sent.stream);
  if (stream != nullptr && stream->channel != nullptr) stream->channel->transmitted(sent);
}

void DataChannels::on_writable() {
  for (DataChannel* channel : channels_) {
    if (channel != nullptr) channel->pump();
  }
}

void DataChannels::on_incoming_reset(StreamId id) {
  Stream* stream = find(id);
  if (stream == nullptr) return;
  stream->incoming = Stream::Incoming::reset;
  if (stream->outgoing == Stream::Outgoing::open) stream->outgoing = Stream::Outgoing::reset_wanted;
  if (stream->channel != nullptr && stream->channel->state_ == DataChannel::State::open) {
    stream->channel->state_ = DataChannel::State::closing;
  }
  want_work();
}

void DataChannels::on_outgoing_reset(StreamId id, SctpListener::ResetResult result) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->outgoing != Stream::Outgoing::reset_asked) return;
  const bool done = result == SctpListener::ResetResult::performed;
  stream->outgoing = done ? Stream::Outgoing::reset : Stream::Outgoing::reset_wanted;
  want_work();
}

void DataChannels::on_ended(const Error& reason) {
  for (DataChannel* channel : channels_) {
    if (channel == nullptr) continue;
    // Our half was reset only after all of it had arrived: then the end is what was asked for, however it
    // comes.
    const Stream* stream = find(channel->stream_);
    const bool all_arrived = channel->state_ == DataChannel::State::closing && stream != nullptr &&
                             stream->outgoing == Stream::Outgoing::reset;
    channel->end(all_arrived ? closed_in_good_order() : reason);
  }
  streams_.clear();
}

void DataChannels::release(DataChannel& channel) {
  std::ranges::replace(channels_, &channel, static_cast<DataChannel*>(nullptr));
  if (Stream* stream = find(channel.stream_); stream != nullptr && stream->channel == &channel) {
    stream->channel = nullptr;
    if (stream->outgoing == Stream::Outgoing::open) stream->outgoing = Stream::Outgoing::reset_wanted;
  }
  want_work();
}

void DataChannels::close(DataChannel& channel) {
  Stream* stream = find(channel.stream_);
  if (stream != nullptr && stream->outgoing == Stream::Outgoing::open) {
    stream->outgoing = Stream::Outgoing::reset_wanted;
  }
  want_work();
}

void DataChannels::ask_for_reset(Stream& stream) {
  if (stream.channel != nullptr && !stream.channel->pending_.empty()) return;
  const Status asked = association_.reset_stream(stream.id);
  if (asked) {
    stream.outgoing = Stream::Outgoing::reset_asked;
  } else if (asked.error().code != Errc::busy) {
    // The peer cannot reset streams: there is nothing to wait for.
    stream.outgoing = Stream::Outgoing::reset;
    stream.incoming = Stream::Incoming::reset;
  }
}

bool DataChannels::step_closing(Stream& stream, TimePoint now) {
  if (stream.outgoing == Stream::Outgoing::open) return false;
  if (!stream.closing_since.has_value()) stream.closing_since = now;
  if (stream.outgoing == Stream::Outgoing::reset_wanted) ask_for_reset(stream);
  const bool done = stream.outgoing == Stream::Outgoing::reset && stream.incoming == Stream::Incoming::reset;
  if (stream.channel != nullptr) {
    if (done) {
      std::exchange(stream.channel, nullptr)->end(closed_in_good_order());
    } else if (now - *stream.closing_since >= limits::kLinkCloseTimeout) {
      // The stream stays taken: nobody knows what may still come on it.
      std::exchange(stream.channel, nullptr)
          ->end({.code = Errc::timed_out,
                 .message = "the other side did not confirm that the channel is closed"});
    }
  }
  return done;
}

void DataChannels::resume_reading() {
  const auto holds_too_much = [](const DataChannel* channel) {
    return channel != nullptr && channel->is_holding_too_much();
  };
  if (reading_ == SctpAssociation::Reading::flowing || std::ranges::any_of(channels_, holds_too_much)) return;
  reading_ = SctpAssociation::Reading::flowing;
  association_.set_reading(reading_);
  want_work();
}

void DataChannels::stop_reading() {
  reading_ = SctpAssociation::Reading::paused;
  association_.set_reading(reading_);
}

void DataChannels::process(TimePoint now) {
  std::erase_if(streams_, [&](Stream& stream) { return step_closing(stream, now); });
  // By index: a listener may let go of another channel, which leaves a hole until the walk is over.
  const auto for_each = [this](auto&& act) {
    for (std::size_t i = 0; i < channels_.size(); ++i) {
      if (channels_[i] != nullptr) act(*channels_[i]);
    }
  };
  for_each([](DataChannel& channel) { channel.deliver_held(); });
  for_each([](DataChannel& channel) { channel.announce_low(); });
  for_each([](DataChannel& channel) { channel.tell_end(); });
  std::erase(channels_, nullptr);
  resume_reading();
}

}  // namespace sluice::webrtc
