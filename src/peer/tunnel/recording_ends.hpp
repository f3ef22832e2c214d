#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "peer/tunnel/session.hpp"

/// What a session under test speaks with: a link that keeps what was sent, sockets that are played by hand, a
/// shell that takes notes. For tests only.
namespace sluice::tunnel {

/// A link whose buffer the test drains.
class RecordingLink final : public transport::Link {
 public:
  void listen(transport::LinkListener&) override {}
  Status send(ByteView message) override {
    if (broken) return fail(Errc::link_lost, "the link broke");
    messages_.push_back(to_buffer(message));
    buffered += size_of(message);
    return {};
  }
  [[nodiscard]] Bytes buffered_amount() const override { return buffered; }
  void set_buffered_amount_low_threshold(Bytes threshold) override { low = threshold; }
  [[nodiscard]] Bytes max_message_size() const override { return largest; }
  void close() override {}
  [[nodiscard]] transport::LinkStats stats() const override { return {}; }
  [[nodiscard]] transport::Path path() const override { return {}; }

  /// The packets sent since the last call; the network has taken them. They live as long as the link.
  std::vector<wire::Packet> take() {
    buffered = {};
    return look();
  }
  /// The same, but the network has taken nothing yet.
  std::vector<wire::Packet> look() {
    std::vector<wire::Packet> packets;
    for (; seen_ < messages_.size(); ++seen_) packets.push_back(*wire::decode(messages_[seen_]));
    return packets;
  }

  Bytes buffered;
  Bytes low;
  Bytes largest{256 * 1024};
  bool broken = false;

 private:
  std::deque<ByteBuffer> messages_;
  std::size_t seen_ = 0;
};

class PlayedSocketEnd;

/// What a test sees and sets of a socket that its session owns. Either may go first.
struct PlayedSocket {
  ~PlayedSocket();
  std::string incoming{};  ///< What the application has written, and the tunnel has not read.
  enum class End : std::uint8_t { none, fin, reset, failed } ending = End::none;  ///< After it.
  std::string outgoing{};        ///< What the tunnel has written.
  std::size_t takes = SIZE_MAX;  ///< How much more it can write.
  bool write_resets = false;
  std::size_t largest_read = 0;
  int reads = 0;
  bool shut = false;
  enum class Closed : std::uint8_t { no, closed, reset } closed = Closed::no;

  PlayedSocketEnd* attached = nullptr;

  std::unique_ptr<Socket> attach();
};

class PlayedSocketEnd final : public Socket {
 public:
  explicit PlayedSocketEnd(PlayedSocket& played) : played_(&played) { played.attached = this; }
  PlayedSocketEnd(const PlayedSocketEnd&) = delete;
  PlayedSocketEnd& operator=(const PlayedSocketEnd&) = delete;
  ~PlayedSocketEnd() override {
    end(PlayedSocket::Closed::reset);
    if (played_ != nullptr) played_->attached = nullptr;
  }
  void forget() { played_ = nullptr; }

  Transfer read_some(ByteSpan into) override {
    ++played_->reads;
    played_->largest_read = std::max(played_->largest_read, into.size());
    const std::size_t size = std::min(into.size(), played_->incoming.size());
    if (size > 0) {
      std::ranges::copy(as_bytes(played_->incoming).first(size), into.begin());
      played_->incoming.erase(0, size);
      return {.status = Transfer::Status::ok, .count = size};
    }
    switch (played_->ending) {
      case PlayedSocket::End::none:
        return {.status = Transfer::Status::would_block};
      case PlayedSocket::End::fin:
        return {.status = Transfer::Status::end};
      case PlayedSocket::End::reset:
        return {.status = Transfer::Status::reset};
      case PlayedSocket::End::failed:
        return {.status = Transfer::Status::failed};
    }
    return {};
  }
  Transfer write_some(ByteView from) override {
    if (played_->write_resets) return {.status = Transfer::Status::reset};
    const std::size_t size = std::min(from.size(), played_->takes);
    played_->outgoing += as_text(from.first(size));
    played_->takes -= size;
    if (size == 0) return {.status = Transfer::Status::would_block};
    return {.status = Transfer::Status::ok, .count = size};
  }
  void shutdown_send() override { played_->shut = true; }
  void close() override { end(PlayedSocket::Closed::closed); }
  void reset() override { end(PlayedSocket::Closed::reset); }

 private:
  void end(PlayedSocket::Closed how) {
    if (played_ != nullptr && played_->closed == PlayedSocket::Closed::no) played_->closed = how;
  }
  PlayedSocket* played_;
};

inline PlayedSocket::~PlayedSocket() {
  if (attached != nullptr) attached->forget();
}
inline std::unique_ptr<Socket> PlayedSocket::attach() {
  return std::make_unique<PlayedSocketEnd>(*this);
}

struct RecordingShell final : SessionShell {
  struct Dial {
    wire::SocketId id;
    std::string target;
  };
  struct End {
    wire::SocketId id;
    StreamEnd end;
  };
  void dial(wire::SocketId id, const Target& target) override { dials.push_back({id, target.name}); }
  void forget_dial(wire::SocketId id) override { forgotten.push_back(id); }
  void on_stream_end(wire::SocketId id, const StreamEnd& end) override { ends.push_back({id, end}); }
  void on_refused(wire::CloseReason, const std::string& text) override { refused.push_back(text); }
  void on_ignored(wire::SocketId, Ignored why) override { ignored.push_back(why); }

  std::vector<Dial> dials;
  std::vector<wire::SocketId> forgotten;
  std::vector<End> ends;
  std::vector<std::string> refused;
  std::vector<Ignored> ignored;
};

/// What the other side says in its HELLO, unless a test wants otherwise.
inline constexpr wire::Hello kPeerHello{
    .version = wire::kVersion, .first_window = 16'384, .largest_payload = 65'536};

/// One session with recording ends, and a clock that the test moves.
class SessionBench {
 public:
  explicit SessionBench(Role role, SessionOptions options = {})
      : session(role == Role::host ? Session{link, shell, *Targets::make(targets()), options}
                                   : Session{role, link, shell, options}) {}

  /// Through both HELLOs.
  SessionBench& ready(wire::Hello hello = kPeerHello) {
    session.start(now);
    receive(hello);
    (void)link.take();
    return *this;
  }
  void receive(const wire::Packet& packet) {
    ByteBuffer message;
    wire::encode(packet, message);
    session.on_message(message, now);
  }
  void pass(Duration time) {
    now += time;
    session.expire(now);
  }
  /// The network has taken what was sent.
  void link_drains() {
    link.buffered = {};
    session.on_link_low(now);
  }
  /// Client: a connection comes in.
  wire::SocketId open(PlayedSocket& socket, std::string target = "") {
    const wire::SocketId id = session.choose_id(7);
    const Status opened = session.open(id, socket.attach(), std::move(target), now);
    return opened ? id : wire::kSession;
  }
  /// Host: a connection that is accepted, its packets taken.
  void serve(wire::SocketId id, PlayedSocket& socket) {
    receive(wire::Connect{.socket = id, .target = ""});
    session.dialed(id, socket.attach(), now);
    (void)link.take();
  }
  [[nodiscard]] SessionStats stats() const { return session.stats(now); }
  [[nodiscard]] Errc end_code() const { return session.ended() ? session.ended()->code : Errc{}; }

  TimePoint now{std::chrono::hours{1}};
  RecordingLink link;
  RecordingShell shell;
  Session session;

 private:
  static std::vector<Target> targets() {
    return {{.name = "web", .host = "127.0.0.1", .port = 80},
            {.name = "ssh", .host = "127.0.0.1", .port = 22}};
  }
};

}  // namespace sluice::tunnel
