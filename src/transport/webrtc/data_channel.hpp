#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "core/time.hpp"
#include "transport/link.hpp"
#include "transport/webrtc/sctp.hpp"

namespace sluice::webrtc {

class DataChannels;

/// What is agreed about a channel when it is opened (RFC 8832 §5.1).
struct ChannelOptions {
  std::string label{};
  std::string protocol{};
  SctpOrder order = SctpOrder::unordered;
};

/// What a peer sent that meant nothing here.
struct DataChannelsStats {
  std::uint64_t unknown_stream = 0;  ///< Messages on a stream without a channel.
  std::uint64_t unknown_ppid = 0;    ///< Messages under an identifier that is not of RFC 8831.
  std::uint64_t malformed_dcep = 0;
  std::uint64_t refused_opens = 0;  ///< One too many, of the wrong parity, or on a stream in use.
};

/// Who knows which way a channel's bytes go, and lives as long as any channel that it was given to.
class ChannelOwner {
 public:
  virtual ~ChannelOwner() = default;
  [[nodiscard]] virtual transport::Path path() const = 0;
};

/// A data channel (RFC 8831) as a link: reliable messages on a pair of SCTP streams.
///
/// Made by DataChannels, owned by its user, used on one shard. All calls to the listener come from inside
/// `DataTransport::process`. Bounded: it holds what SCTP does not take yet, up to `limits::kLinkHardBuffer`
/// together with what SCTP has not sent; what comes before `listen` is held up to
/// `limits::kChannelHeldMessages`, then the peer is stopped by SCTP's window.
class DataChannel final : public transport::Link {
 public:
  ~DataChannel() override;  ///< Ends it at once; the peer sees the stream reset, or the association's end.
  DataChannel(const DataChannel&) = delete;
  DataChannel& operator=(const DataChannel&) = delete;

  /// Keeps `owner`, and so the transport beneath, alive for as long as this channel, and answers `path` from
  /// it.
  void keep_alive(std::shared_ptr<ChannelOwner> owner) { owner_ = std::move(owner); }

  [[nodiscard]] const ChannelOptions& options() const { return options_; }
  [[nodiscard]] StreamId stream() const { return stream_; }

  void listen(transport::LinkListener& listener) override;
  Status send(ByteView message) override;
  [[nodiscard]] Bytes buffered_amount() const override { return buffered_; }
  void set_buffered_amount_low_threshold(Bytes threshold) override;
  [[nodiscard]] Bytes max_message_size() const override;
  void close() override;
  [[nodiscard]] transport::LinkStats stats() const override;
  [[nodiscard]] transport::Path path() const override;

 private:
  friend class DataChannels;

  enum class State : std::uint8_t { open, closing, closed };
  enum class Sending : std::uint8_t { ordered_until_acknowledged, as_agreed };
  struct Pending {
    ByteBuffer payload;
    PayloadProtocol ppid;
  };

  DataChannel(DataChannels& channels, StreamId stream, ChannelOptions options, Sending sending);

  // What DataChannels calls.
  void deliver(ByteView message);  ///< To the listener, or into the held messages.
  void deliver_held();
  void transmitted(const SctpTransmission& sent);  ///< Only counts.
  void pump();                                     ///< Hands pending messages to SCTP until it is full.
  void announce_low();  ///< Tells the listener when the amount has crossed the threshold downwards.
  void end(const Error& reason);
  void tell_end();  ///< Once, after the last held message.
  /// Into SCTP, or behind what is pending. False when the association is over.
  bool enqueue(PayloadProtocol protocol, ByteView payload);

  [[nodiscard]] SctpMessage as_message(PayloadProtocol protocol, ByteView payload) const;
  [[nodiscard]] bool low_is_due() const { return above_threshold_ && buffered_ <= low_threshold_; }
  [[nodiscard]] bool is_holding_too_much() const { return held_bytes_ > limits::kChannelHeldMessages; }

  /// What a held message costs beside its bytes, so that empty ones are bounded too.
  static constexpr Bytes kHeldOverhead{64};

  DataChannels* channels_;  ///< Null once the transport beneath is gone.
  StreamId stream_;
  ChannelOptions options_;
  Sending sending_;
  State state_ = State::open;
  std::shared_ptr<ChannelOwner> owner_;
  transport::LinkListener* listener_ = nullptr;

  Bytes buffered_;  ///< Pending here, and in SCTP but not yet sent for the first time.
  Bytes low_threshold_;
  bool above_threshold_ = false;  ///< `buffered_` was above the threshold and this was not yet taken back.
  std::deque<Pending> pending_;   ///< Refused by SCTP for want of room, in order.
  std::deque<ByteBuffer> held_;   ///< Came before `listen`.
  Bytes held_bytes_;
  std::optional<Error> end_reason_;
  bool end_told_ = false;
  transport::LinkStats stats_;
};

}  // namespace sluice::webrtc
