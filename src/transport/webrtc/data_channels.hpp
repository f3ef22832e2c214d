#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "core/error.hpp"
#include "core/time.hpp"
#include "transport/webrtc/data_channel.hpp"
#include "transport/webrtc/dcep.hpp"
#include "transport/webrtc/dtls.hpp"
#include "transport/webrtc/sctp.hpp"

namespace sluice::webrtc {

class DataChannelsListener {
 public:
  virtual ~DataChannelsListener() = default;
  /// From inside `open` and `on_message`.
  virtual void on_channel(std::unique_ptr<DataChannel> channel) = 0;
  /// `process` has something to do. From inside any call.
  virtual void on_channel_work() = 0;
};

/// The channels of one association: which stream is whose, how channels are opened (RFC 8832) and closed (RFC
/// 8831 §6.7).
///
/// Owned by a transport, which hands on what the association tells it. A stream outlives its channel until
/// both of its halves have been reset, and only then is its number given out again. Bounded by
/// `limits::kMaxChannels`.
class DataChannels {
 public:
  struct Terms {
    DtlsRole role;           ///< Decides whose stream numbers are even (RFC 8832 §6).
    Bytes max_message_size;  ///< What `DataChannel::send` refuses beyond.
  };

  /// The association is established. Both outlive the channels.
  DataChannels(SctpAssociation& association, DataChannelsListener& listener, const Terms& terms);
  DataChannels(const DataChannels&) = delete;
  DataChannels& operator=(const DataChannels&) = delete;
  ~DataChannels();  ///< Channels that are still held by their users have ended, and will not hear of it.

  /// Opens a channel; it may be used at once, without waiting for the peer's answer (RFC 8832 §6).
  /// Errors: `limit_exceeded`.
  Status open(ChannelOptions options);

  // What the association tells, see SctpListener.
  void on_message(const SctpMessage& message);
  void on_transmitted(const SctpTransmission& sent);
  void on_writable();
  void on_incoming_reset(StreamId id);
  void on_outgoing_reset(StreamId id, SctpListener::ResetResult result);
  void on_ended(const Error& reason);

  /// Delivers held messages, low events and ends; asks for resets; lets closes run out.
  void process(TimePoint now);

  [[nodiscard]] const DataChannelsStats& stats() const { return stats_; }

 private:
  friend class DataChannel;

  struct Stream {
    enum class Outgoing : std::uint8_t { open, reset_wanted, reset_asked, reset };
    enum class Incoming : std::uint8_t { open, reset };
    StreamId id;
    DataChannel* channel = nullptr;  ///< Null once its user has let go, or has been told of the end.
    Outgoing outgoing = Outgoing::open;
    Incoming incoming = Incoming::open;
    std::optional<TimePoint> closing_since{};
  };

  // What a DataChannel asks for.
  void release(DataChannel& channel);
  void close(DataChannel& channel);
  void want_work() { listener_.on_channel_work(); }
  void stop_reading();

  void on_dcep(const SctpMessage& message);
  void on_open(StreamId id, DcepOpen open);
  void hand_out(ChannelOptions options, StreamId id, DataChannel::Sending sending, const DcepMessage& first);
  [[nodiscard]] Stream* find(StreamId id);
  [[nodiscard]] std::optional<StreamId> free_stream();
  void ask_for_reset(Stream& stream);
  /// True when nothing is left of the stream.
  bool step_closing(Stream& stream, TimePoint now);
  void resume_reading();

  SctpAssociation& association_;
  DataChannelsListener& listener_;
  Terms terms_;
  std::vector<Stream> streams_;
  std::vector<DataChannel*> channels_;  ///< All that live; null for those released during a walk.
  SctpAssociation::Reading reading_ = SctpAssociation::Reading::flowing;
  DataChannelsStats stats_;
};

}  // namespace sluice::webrtc
