#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "hub/gateway/message_print.hpp"
#include "wire/hub/message.hpp"

namespace sluice::hub {

/// A message as a conversation's log keeps it.
struct LoggedMessage {
  wire::hub::Delivery delivery;
  wire::hub::UnixMs expires_at = 0;  ///< 0: as long as the log keeps any.
  MessagePrint print{};              ///< For the log to keep; not in what is read from it.
};
using SharedMessage = std::shared_ptr<const LoggedMessage>;

struct PageLimits {
  std::size_t messages;
  Bytes bytes;
};

struct LogPage {
  std::vector<LoggedMessage> messages{};       ///< In order.
  std::vector<wire::hub::Position> damaged{};  ///< In order: what is there, and is no message any more.
  wire::hub::Position first{};  ///< The oldest one that the log still has; none: behind the last ever.
  bool more = false;            ///< There are more behind them.
  bool unreadable = false;      ///< It cannot be told what there is: that part of the log is damaged.

  /// The last that it says anything of; nothing: none.
  [[nodiscard]] wire::hub::Position last() const {
    wire::hub::Position last{};
    if (!messages.empty()) last = messages.back().delivery.position;
    return damaged.empty() ? last : std::max(last, damaged.back());
  }
};

/// What a shard needs of the store. Reads are synchronous and see what was reported as stored; an append is
/// reported later, in order, by the shard's `on_stored`. A read's error is `malformed` where what it needs is
/// damaged for good, and anything else where it may do later.
class MessageLog {
 public:
  virtual ~MessageLog() = default;

  /// Of the last message ever appended; nothing at all: the present epoch and 0.
  [[nodiscard]] virtual Result<wire::hub::Position> head(const wire::hub::Conversation& of) = 0;
  /// Where each epoch begins in which something was stored: the first offset that was its own. In order; of
  /// many, the first and the last ones.
  [[nodiscard]] virtual Result<std::vector<wire::hub::Position>> history(
      const wire::hub::Conversation& of) = 0;
  /// Whether this is an epoch of this log, the present one included.
  [[nodiscard]] virtual bool knows(std::uint64_t epoch) const = 0;
  /// What comes after a position.
  [[nodiscard]] virtual Result<LogPage> page(const wire::hub::Conversation& of, wire::hub::Position after,
                                             PageLimits limits) = 0;

  /// Never blocks. `ticket` comes back with the outcome. Errors: `busy` (as much waits as may), `io` (the
  /// store is known to be broken or full).
  [[nodiscard]] virtual Status append(SharedMessage message, std::uint64_t ticket) = 0;

  /// A device of the user's (empty: a client that names none) has processed their inbox up to there. What all
  /// known devices have processed may go.
  virtual void acknowledge(const wire::hub::Conversation& inbox, const std::string& device,
                           wire::hub::Position up_to) = 0;
  /// The last that the device has acknowledged; of one that is not known the one before all that is kept. Of
  /// epoch 0: nobody has acknowledged anything, and the offset is the one before its first.
  [[nodiscard]] virtual Result<wire::hub::Position> acknowledged(const wire::hub::Conversation& inbox,
                                                                 const std::string& device) = 0;

  /// What it reported as stored outlives the process.
  [[nodiscard]] virtual bool durable() const = 0;
};

}  // namespace sluice::hub
