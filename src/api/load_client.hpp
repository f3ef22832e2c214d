#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "api/load_books.hpp"
#include "api/load_options.hpp"
#include "transport/connected_socket.hpp"
#include "wire/hub/message.hpp"

namespace sluice::api {

/// What the clients of one thread count together.
struct LoadCounts {
  std::uint64_t sent = 0;  ///< Messages, each once, however often it was repeated.
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;
  std::uint64_t held_back = 0;  ///< Not sent, since the connection took no more or was away.
  std::uint64_t strange = 0;    ///< Messages of other runs, and such that do not decode.
  std::uint64_t slow_cut = 0;
  std::uint64_t normal_cut = 0;
  std::uint64_t reconnects = 0;
  Duration longest_to_cut{};   ///< Of a slow client, from its first pause.
  std::string last_trouble{};  ///< What the last one that was cut, or refused, was told.

  LoadCounts& operator+=(const LoadCounts& other);
};

/// One client of a load run over its connections: says what it is told to, and keeps a book of what comes.
///
/// One shard. Its owner opens its connections, and outlives it.
class LoadClient final : private transport::MessageSocketListener {
 public:
  /// What all clients of a thread share.
  class Shared {
   public:
    virtual ~Shared() = default;
    LoadCounts counts{};
    Latencies latencies{};
    std::vector<ConversationBook> sent_to{};        ///< By conversation.
    virtual void on_ready(LoadClient& client) = 0;  ///< Welcome, and in its group.
    virtual void on_ended(LoadClient& client) = 0;  ///< Not from inside a call of the owner's.
  };
  struct Role {
    std::uint32_t index = 0;
    std::string user{};
    std::string group{};             ///< That it listens to; empty: its inbox.
    std::uint32_t conversation = 0;  ///< The number of what it listens to.
    bool slow = false;
  };
  LoadClient(const boost::asio::any_io_executor& executor, const LoadOptions& options, Role role,
             Shared& shared);
  LoadClient(const LoadClient&) = delete;
  LoadClient& operator=(const LoadClient&) = delete;
  ~LoadClient() override = default;

  void open(transport::ConnectedSocket connected);
  /// To that conversation, which has that number.
  void publish(const wire::hub::Conversation& to, std::uint32_t number);
  /// Sends acknowledgements that are due; called every now and then.
  void acknowledge();
  /// A slow one reads like all others from now on.
  void hurry();
  /// As a lost network: at once. `on_ended` follows.
  void drop();
  void close();

  [[nodiscard]] const Role& role() const { return role_; }
  [[nodiscard]] const ReceiverBook& book() const { return book_; }
  [[nodiscard]] const std::string& session_token() const { return session_token_; }
  [[nodiscard]] bool is_ready() const { return state_ == State::ready; }
  /// It is not to come back: the hub has cut it, or it was closed.
  [[nodiscard]] bool is_over() const { return over_; }
  [[nodiscard]] std::size_t unanswered() const { return unanswered_.size(); }

 private:
  enum class State : std::uint8_t { away, greeting, ready };
  struct Unanswered {
    std::uint64_t seq = 0;
    std::uint64_t number = 0;
    std::uint32_t conversation = 0;
    wire::hub::Conversation to{};
    std::int64_t sent_ns = 0;
  };

  void on_message(transport::MessageKind kind, ByteView message) override;
  void on_writable() override;
  void on_closed(const Error& reason) override;

  void take(const wire::hub::Position& position, bool replayed, ByteView content);
  void handle(wire::hub::FromHub message);
  void welcome(const wire::hub::Welcome& welcome);
  void become_ready();
  void answered(std::uint64_t seq, bool is_accepted);
  void rest();
  void say(const wire::hub::FromClient& message);
  void send(Unanswered& message);
  void flush();

  const LoadOptions& options_;
  Role role_;
  Shared& shared_;
  ReceiverBook book_;
  transport::ConnectedSocket connection_;
  State state_ = State::away;
  bool over_ = false;
  bool dropped_ = false;  ///< By ourselves.
  bool hurrying_ = false;
  boost::asio::steady_timer rest_;
  std::optional<TimePoint> stalled_since_;
  std::string session_token_;
  std::string farewell_;  ///< The hub's own words.
  std::uint64_t last_number_ = 0;
  std::uint64_t last_seq_ = 0;
  std::deque<Unanswered> unanswered_;
  std::uint64_t counted_ = 0;  ///< Deliveries and gaps of this connection.
  std::uint64_t acknowledged_ = 0;
  ByteBuffer scratch_;
  ByteBuffer out_;
  std::size_t sent_ = 0;
  bool blocked_ = false;
};

}  // namespace sluice::api
