#pragma once

#include <array>
#include <memory>
#include <optional>

#include "transport/webrtc/path_mtu.hpp"
#include "transport/webrtc/sctp.hpp"
#include "transport/webrtc/sctp_packet.hpp"
#include "transport/webrtc/usrsctp_stack.hpp"

struct socket;

namespace sluice::webrtc {

/// An association of the usrsctp library.
///
/// The library calls back from inside our calls into it; those callbacks only take packets and set flags,
/// since it may not be called from them. A peer from which nothing has come for `limits::kSctpSilence` is
/// gone: this rule is ours and the library's own error counters are set too high to matter, because they mix
/// heartbeats with data and cannot promise both to survive a short outage and to notice a long one.
///
/// The size of packets is ours too. The library can only ever lower the MTU of a path, so it is told the
/// largest candidate from the start; until `PathMtu` has settled its chunks are kept as small as the base
/// allows and its packets are split between chunks.
class UsrsctpAssociation final : public SctpAssociation, private UsrsctpPort {
 public:
  /// The listener outlives the association.
  UsrsctpAssociation(SctpListener& listener, const SctpOptions& options);
  ~UsrsctpAssociation() override;
  UsrsctpAssociation(const UsrsctpAssociation&) = delete;
  UsrsctpAssociation& operator=(const UsrsctpAssociation&) = delete;

  Status start() override;
  void receive(ByteView packet) override;
  void process(TimePoint now) override;
  [[nodiscard]] SctpSend send(const SctpMessage& message) override;
  Status reset_stream(StreamId stream) override;
  void set_reading(Reading reading) override { reading_ = reading; }
  void abort() override { close_socket(); }
  [[nodiscard]] SctpStats stats() const override;

 private:
  enum class State : std::uint8_t { connecting, established, over };

  void on_packet(ByteSpan packet) override;
  static void on_upcall(struct socket* socket, void* self, int flags);

  Status open_socket();
  Status configure();
  enum class PathOf : std::uint8_t { socket, association };
  Status configure_path(PathOf which, Bytes mtu);
  Status limit_chunks(std::optional<Bytes> packet);
  template <typename T>
  Status set_option(int level, int name, const T& value, const char* what);

  void drain();
  void take_fragment(std::size_t size, int flags, const void* info);
  void on_notification(ByteView bytes);
  void on_association_change(ByteView bytes);
  void on_stream_reset(ByteView bytes);
  void watch_silence(TimePoint now);
  void watch_progress(TimePoint now);
  void probe_path(TimePoint now);
  void apply_path_mtu();
  [[nodiscard]] Bytes largest_path_mtu() const;
  void end(Error reason);
  void close_socket();

  SctpListener& listener_;
  SctpOptions options_;
  std::shared_ptr<UsrsctpStack> stack_;
  void* address_;
  struct socket* socket_ = nullptr;
  State state_ = State::connecting;
  Reading reading_ = Reading::flowing;
  bool signalled_ = false;  ///< The library said that something can be read or written.
  bool blocked_ = false;    ///< `send` has said `would_block` since.
  bool heard_ = false;      ///< A packet has come since the last `process`.
  std::optional<TimePoint> heard_at_;
  TimePoint looked_at_;           ///< When it was last looked whether something leaves.
  TimePoint progressed_at_;       ///< When it did.
  Bytes left_;                    ///< Payload that had left by then, resent included.
  ByteBuffer message_;            ///< Room for the longest message and one notification.
  std::size_t message_size_ = 0;  ///< How much of an unfinished message is in it.
  TransmitMeter meter_;
  PathMtu path_mtu_;
  Bytes applied_path_mtu_;                       ///< What the library was told since the search for it ended.
  std::array<std::byte, kSctpHeader> header_{};  ///< Of the packet that went out last.
  Bytes unsent_;
  SctpStats stats_;
};

}  // namespace sluice::webrtc
