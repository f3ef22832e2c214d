#include "transport/webrtc/data_transport.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "core/ensure.hpp"
#include "transport/webrtc/data_channels.hpp"
#include "transport/webrtc/usrsctp_association.hpp"

namespace sluice::webrtc {
namespace {

/// DCEP's length fields are 16 bits (RFC 8832 §5.1).
constexpr std::size_t kLongestLabel = 65535;
/// Rounds of `process` at one go, before others have their turn.
constexpr int kRounds = 2;

/// What can be sent at once: what the peer takes, but no more than a part of the send buffer, which takes
/// messages only as a whole.
Bytes max_message_size(Bytes remote, Bytes send_buffer) {
  const Bytes ours = send_buffer / 4;
  return remote == Bytes{} ? ours : std::min(remote, ours);
}

}  // namespace

class DataTransport::Impl final : DtlsListener, SctpListener, DataChannelsListener {
 public:
  Impl(const Certificate& certificate, DataTransportListener& listener, const SctpOptions& options)
      : listener_(listener), options_(options), stack_(UsrsctpStack::acquire()), dtls_(certificate, *this) {}
  ~Impl() override {
    silence_ = Silence::total;
    channels_.reset();
    association_.reset();
  }

  Status create_channel(ChannelOptions options);
  void start(const Start& start, TimePoint now);
  void receive(ByteView datagram);
  void process(TimePoint now);
  void handle_timers(TimePoint now);
  void close();
  void abandon(const Error& reason);

  [[nodiscard]] const DtlsEngine& dtls() const { return dtls_; }
  [[nodiscard]] SctpStats sctp_stats() const {
    return association_ != nullptr ? association_->stats() : SctpStats{};
  }
  [[nodiscard]] DataChannelsStats channels_stats() const {
    return channels_ != nullptr ? channels_->stats() : DataChannelsStats{};
  }

 private:
  enum class Silence : std::uint8_t { none, total };
  enum class Inside : std::uint8_t { nothing, owners_call };
  enum class Work : std::uint8_t { none, wanted, told };
  enum class Sending : std::uint8_t { packet, probe };

  /// While one of these lives the owner is inside a call after which it will call `process` itself.
  class OwnersCall {
   public:
    explicit OwnersCall(Impl& self)
        : self_(self), before_(std::exchange(self.inside_, Inside::owners_call)) {}
    OwnersCall(const OwnersCall&) = delete;
    OwnersCall& operator=(const OwnersCall&) = delete;
    ~OwnersCall() { self_.inside_ = before_; }

   private:
    Impl& self_;
    Inside before_;
  };

  // DTLS.
  void on_dtls_datagram(ByteView datagram) override;
  void on_dtls_connected() override;
  void on_dtls_record(ByteView plaintext) override;
  void on_dtls_ended(const Error& reason) override;
  // SCTP.
  void on_sctp_packet(ByteView packet) override;
  void on_sctp_probe(ByteView packet) override;
  void on_sctp_transmitted(const SctpTransmission& sent) override;
  void on_sctp_established() override;
  void on_sctp_message(const SctpMessage& message) override;
  void on_sctp_writable() override { channels_->on_writable(); }
  void on_sctp_incoming_reset(StreamId stream) override;
  void on_sctp_outgoing_reset(StreamId stream, ResetResult result) override;
  void on_sctp_ended(const Error& reason) override { end(reason); }
  // Channels.
  void on_channel(std::unique_ptr<DataChannel> channel) override { listener_.on_channel(std::move(channel)); }
  void on_channel_work() override { want_work(); }

  void process_once(TimePoint now);
  void open_wanted();
  void tell_end();
  void end(const Error& reason);
  void want_work();

  DataTransportListener& listener_;
  SctpOptions options_;
  std::shared_ptr<UsrsctpStack> stack_;
  DtlsEngine dtls_;
  std::unique_ptr<SctpAssociation> association_;
  std::unique_ptr<DataChannels> channels_;
  std::vector<ChannelOptions> wanted_;  ///< Asked for and not yet opened; at most `limits::kMaxChannels`.
  DtlsRole role_ = DtlsRole::client;
  Bytes remote_max_message_size_;
  std::optional<Error> dtls_end_;
  std::optional<Error> end_reason_;
  bool end_told_ = false;
  bool secure_to_tell_ = false;
  Silence silence_ = Silence::none;
  Inside inside_ = Inside::nothing;
  Work work_ = Work::none;
  Sending sending_ = Sending::packet;
};

void DataTransport::Impl::want_work() {
  if (work_ == Work::told || silence_ == Silence::total) return;
  work_ = Work::wanted;
  if (inside_ == Inside::owners_call) return;
  work_ = Work::told;
  listener_.on_work();
}

Status DataTransport::Impl::create_channel(ChannelOptions options) {
  if (end_reason_.has_value()) return fail(*end_reason_);
  if (wanted_.size() >= limits::kMaxChannels) return fail(Errc::limit_exceeded, "too many data channels");
  if (options.label.size() > kLongestLabel || options.protocol.size() > kLongestLabel) {
    return fail(Errc::limit_exceeded, "the label or protocol of a data channel is longer than 65535 bytes");
  }
  wanted_.push_back(std::move(options));
  if (channels_ != nullptr) want_work();
  return {};
}

void DataTransport::Impl::start(const Start& start, TimePoint now) {
  const OwnersCall call{*this};
  role_ = start.role;
  options_.remote_port = start.remote_sctp_port;
  options_.path_mtu = start.path_mtu;
  options_.path_mtu_candidates = start.path_mtu_candidates;
  remote_max_message_size_ = start.remote_max_message_size;
  stack_->handle_timers(now);
  dtls_.start({.role = start.role, .remote = start.remote_fingerprint});
}

void DataTransport::Impl::receive(ByteView datagram) {
  const OwnersCall call{*this};
  dtls_.receive(datagram);
}

void DataTransport::Impl::handle_timers(TimePoint now) {
  const OwnersCall call{*this};
  dtls_.handle_timeout();
  stack_->handle_timers(now);
}

void DataTransport::Impl::process(TimePoint now) {
  {
    const OwnersCall call{*this};
    int round = 0;
    do {
      work_ = Work::none;
      process_once(now);
    } while (work_ == Work::wanted && ++round < kRounds);
  }
  if (work_ == Work::wanted) want_work();
}

void DataTransport::Impl::process_once(TimePoint now) {
  if (std::exchange(secure_to_tell_, false)) listener_.on_secure();
  if (association_ != nullptr && !end_reason_.has_value()) association_->process(now);
  if (dtls_end_.has_value())
    end(*dtls_end_);  // After what had come before it: messages, or an ABORT that says more.
  if (channels_ != nullptr && !end_reason_.has_value()) open_wanted();
  if (end_reason_.has_value() && channels_ != nullptr) channels_->on_ended(*end_reason_);
  if (channels_ != nullptr) channels_->process(now);
  tell_end();
}

void DataTransport::Impl::open_wanted() {
  for (ChannelOptions& options : std::exchange(wanted_, {})) {
    if (Status opened = channels_->open(std::move(options)); !opened) return end(opened.error());
  }
}

void DataTransport::Impl::tell_end() {
  if (!end_reason_.has_value() || std::exchange(end_told_, true)) return;
  if (association_ != nullptr) association_->abort();
  dtls_.close();
  listener_.on_ended(*end_reason_);
}

void DataTransport::Impl::close() {
  const OwnersCall call{*this};
  if (association_ != nullptr) association_->abort();
  dtls_.close();
  end_told_ = true;
  end(Error{.code = Errc::cancelled, .message = "this side has ended the connection"});
  silence_ = Silence::total;
}

void DataTransport::Impl::abandon(const Error& reason) {
  const OwnersCall call{*this};
  end(reason);
}

void DataTransport::Impl::end(const Error& reason) {
  if (end_reason_.has_value()) return;
  end_reason_ = reason;
  want_work();
}

void DataTransport::Impl::on_dtls_datagram(ByteView datagram) {
  if (silence_ == Silence::total) return;
  if (sending_ == Sending::probe) {
    listener_.on_probe_datagram(datagram);
  } else {
    listener_.on_datagram(datagram);
  }
  if (inside_ == Inside::nothing) want_work();  // Nobody else would flush it.
}

void DataTransport::Impl::on_dtls_connected() {
  secure_to_tell_ = true;
  association_ = std::make_unique<UsrsctpAssociation>(static_cast<SctpListener&>(*this), options_);
  if (Status started = association_->start(); !started) end(started.error());
}

void DataTransport::Impl::on_dtls_ended(const Error& reason) {
  dtls_end_ = reason;
  want_work();
}

void DataTransport::Impl::on_dtls_record(ByteView plaintext) {
  if (association_ != nullptr) association_->receive(plaintext);
}

void DataTransport::Impl::on_sctp_packet(ByteView packet) {
  if (silence_ == Silence::total) return;
  (void)dtls_.send(packet);  // Fails only when DTLS is over, which is being told already.
}

void DataTransport::Impl::on_sctp_probe(ByteView packet) {
  sending_ = Sending::probe;
  on_sctp_packet(packet);
  sending_ = Sending::packet;
}

void DataTransport::Impl::on_sctp_transmitted(const SctpTransmission& sent) {
  if (channels_ != nullptr) channels_->on_transmitted(sent);
}

void DataTransport::Impl::on_sctp_established() {
  const Bytes largest = max_message_size(remote_max_message_size_, options_.send_buffer);
  channels_ = std::make_unique<DataChannels>(*association_, static_cast<DataChannelsListener&>(*this),
                                             DataChannels::Terms{.role = role_, .max_message_size = largest});
}

void DataTransport::Impl::on_sctp_message(const SctpMessage& message) {
  if (channels_ != nullptr) channels_->on_message(message);
}

void DataTransport::Impl::on_sctp_incoming_reset(StreamId stream) {
  if (channels_ != nullptr) channels_->on_incoming_reset(stream);
}

void DataTransport::Impl::on_sctp_outgoing_reset(StreamId stream, ResetResult result) {
  if (channels_ != nullptr) channels_->on_outgoing_reset(stream, result);
}

DataTransport::DataTransport(const Certificate& certificate, DataTransportListener& listener,
                             const SctpOptions& options)
    : impl_(std::make_unique<Impl>(certificate, listener, options)) {}
DataTransport::~DataTransport() = default;

Status DataTransport::create_channel(ChannelOptions options) {
  return impl_->create_channel(std::move(options));
}
void DataTransport::start(const Start& start, TimePoint now) {
  impl_->start(start, now);
}
void DataTransport::receive(ByteView datagram) {
  impl_->receive(datagram);
}
void DataTransport::process(TimePoint now) {
  impl_->process(now);
}
void DataTransport::handle_timers(TimePoint now) {
  impl_->handle_timers(now);
}
void DataTransport::close() {
  impl_->close();
}
void DataTransport::abandon(const Error& reason) {
  impl_->abandon(reason);
}
DtlsState DataTransport::dtls_state() const {
  return impl_->dtls().state();
}
DtlsStats DataTransport::dtls_stats() const {
  return impl_->dtls().stats();
}
SctpStats DataTransport::sctp_stats() const {
  return impl_->sctp_stats();
}

}  // namespace sluice::webrtc
