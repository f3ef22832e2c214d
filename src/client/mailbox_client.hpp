#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "client/mailbox_message.hpp"
#include "core/client_limits.hpp"
#include "core/error.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"
#include "runtime/timed_wake_up.hpp"
#include "transport/link.hpp"

namespace sluice::client {

/// Makes one new link to the hub's mailboxes each time that it is called, or says why it cannot; bounded in
/// time by itself.
using Connector = std::function<boost::asio::awaitable<Result<std::unique_ptr<transport::Link>>>()>;

/// The link to the hub has ended; nothing comes after it.
struct HubGone {
  Error error;
};
/// What happens at a mailbox once a place in it was taken.
using MailboxEvent = std::variant<PeerJoined, PeerLeft, Delivered, Expired, Refused, HubGone>;

struct MailboxTimes {
  Duration ping = limits::kMailboxPing;
  Duration silence = limits::kMailboxSilence;
  Duration reply = limits::kMailboxReply;
};

/// How much of what came from a hub was not handed on, by why.
struct MailboxDrops {
  std::uint64_t unknown = 0;   ///< Kinds of message that this version does not know.
  std::uint64_t untimely = 0;  ///< A second answer to `open` or `join`.
};

/// One place in one mailbox at a hub, from `open` or `join` until the link ends.
///
/// One shard, one user. What comes from the hub waits in an inbox of at most `limits::kMailboxInbox` messages
/// and `limits::kMailboxInboxBytes`; a hub that sends more is hung up on. While its user waits in `wait`,
/// pings keep the place alive, and a hub that has fallen silent ends it with `link_lost`.
class MailboxClient final : private transport::LinkListener {
 public:
  MailboxClient(boost::asio::any_io_executor executor, std::unique_ptr<transport::Link> link,
                MailboxTimes times = {});
  MailboxClient(const MailboxClient&) = delete;
  MailboxClient& operator=(const MailboxClient&) = delete;
  ~MailboxClient() override = default;  ///< Ends the link at once; see `close`.

  /// Takes the host's place, in a fresh numbered mailbox or in the named one. Errors: those of the hub
  /// (`busy`, `limit_exceeded`), `timed_out`, `link_lost`, `malformed`.
  boost::asio::awaitable<Result<Opened>> open(std::optional<std::string> name);

  /// Takes the visitor's place. Errors: `not_found` (no such mailbox, or it is burnt or has run out),
  /// `limit_exceeded` (too many tries), `timed_out`, `link_lost`. While another visitor is there it tries
  /// again, as the hub asks, until `until`, and then says `busy`.
  boost::asio::awaitable<Status> join(std::string mailbox, TimePoint until);

  /// `limit_exceeded`, `closed` or `link_lost`, as the link says.
  Status send(const Request& request);

  /// The next thing that happened, or nothing yet. `HubGone` is given again and again.
  [[nodiscard]] std::optional<MailboxEvent> take();
  /// Waits until something may have happened: an event, `wake`, or that time. Throws when cancelled.
  boost::asio::awaitable<void> wait(TimePoint until);
  /// Ends the wait, for other things that its user waits for at the same time.
  void wake() { wake_up_.notify(); }

  /// Ends the link in good order, once what was sent is on its way, within `limits::kVisitorGrace`.
  boost::asio::awaitable<void> close();

  /// Whether the link has ended, so that an error was the hub's absence and not its word.
  [[nodiscard]] bool gone() const { return ended_.has_value(); }
  [[nodiscard]] const MailboxDrops& drops() const { return drops_; }

 private:
  using Answer = std::variant<Opened, Joined, Refused>;

  void on_message(ByteView message) override;
  void on_buffered_amount_low() override {}
  void on_closed(const Error& reason) override;

  void handle(Reply reply);
  void answered(Answer answer);
  void end(Error error);
  void keep_alive(TimePoint now);
  boost::asio::awaitable<Result<Answer>> ask(Request request);

  std::unique_ptr<transport::Link> link_;
  MailboxTimes times_;
  runtime::TimedWakeUp wake_up_;
  std::deque<MailboxEvent> inbox_;
  Bytes inbox_bytes_;  ///< Of the messages in it.
  bool asking_ = false;
  std::optional<Answer> answer_;
  std::optional<Error> ended_;
  TimePoint heard_;   ///< When the hub last said anything.
  TimePoint pinged_;  ///< When it was last pinged.
  MailboxDrops drops_;
};

}  // namespace sluice::client
