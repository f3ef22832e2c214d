#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "flow/charge.hpp"
#include "hub/gateway/batch.hpp"
#include "hub/gateway/home.hpp"
#include "hub/gateway/ids.hpp"
#include "hub/gateway/message_log.hpp"
#include "wire/hub/message.hpp"

/// What shards of the hub tell each other. Between two shards it arrives in its order.
namespace sluice::hub::mail {

// --- to a conversation's home ---

struct Publish {
  wire::hub::Conversation to;
  Incoming incoming;
  flow::Charge memory{};
};
/// A connection wants what comes from now on, and before that what came after `after`.
struct Subscribe {
  wire::hub::Conversation to;
  ConnectionRef from;
  wire::hub::Encoding encoding;
  std::string user;
  std::optional<wire::hub::Position> after{};
  bool presence = false;
  std::uint64_t interest = 0;  ///< The connection's number for it; a client may leave and join again.
  std::string device{};        ///< Of an inbox: whose mark it is.
};
struct Unsubscribe {
  wire::hub::Conversation to;
  ConnectionRef from;
  wire::hub::Encoding encoding;
  std::string user;
  bool presence = false;
  enum class Why : std::uint8_t { left, ended };
  Why why = Why::left;  ///< The client has left, or its connection has ended and it may be back soon.
};
/// The next page for a subscriber that catches up, or for one that has asked for a range.
struct Read {
  enum class Purpose : std::uint8_t { replay, pull };
  wire::hub::Conversation of;
  ConnectionRef from;
  wire::hub::Position after;
  Purpose purpose = Purpose::replay;
  std::uint64_t last = 0;      ///< The last offset that is wanted; 0: as many as there are.
  std::uint64_t interest = 0;  ///< For which of the connection's; as in `Subscribe`.
};
struct Processed {
  wire::hub::Conversation of;
  wire::hub::Position up_to;        ///< The furthest of what it was sent and has acknowledged.
  std::vector<Stretch> received{};  ///< What it was sent of that.
  std::string device{};             ///< Of an inbox: whose mark moves.
};
/// A connection has ended: it does not want to know any more what of its own was delivered.
struct Abandon {
  wire::hub::Conversation of;
  ConnectionRef from;
};
struct AskWho {
  wire::hub::Conversation of;
  ConnectionRef from;
};

// --- to a user's home ---

/// Deliveries that a connection was sent and had not acknowledged when it ended.
struct Unacknowledged {
  wire::hub::Conversation of;
  std::uint64_t epoch = 0;  ///< Of the last one.
  std::vector<Stretch> sent{};
};
struct Attach {
  std::string user;
  ConnectionRef connection;
  std::string session;  ///< Empty: a new one.
  std::string device{};
  std::size_t connections = limits::kConnectionsPerUser;  ///< That the user may have, by this one's token.
};
struct Detach {
  std::string user;
  ConnectionRef connection;
  std::string session;
  bool was_welcome;
  wire::hub::Ended ended;
  std::vector<Unacknowledged> unacknowledged{};
  std::string device{};
};
/// Of a connection that was asked for a sign of life.
struct Probed {
  enum class Life : std::uint8_t { shown, none };
  std::string user;
  ConnectionRef connection;
  Life life;
};
struct Ask {
  ConnectionRef from;
  std::string user;     ///< Who asks.
  std::string promise;  ///< What the request is known by on its way.
  wire::hub::Request request;
  std::vector<ConnectionRef> tried{};  ///< That were gone, or not open yet, when it came to them.
  flow::Charge memory{};
};

// --- to a connection ---

struct Answer {
  ConnectionRef to;
  wire::hub::FromHub what;
};
struct Attached {
  ConnectionRef to;
  std::string session;
  wire::hub::Position inbox{};  ///< The last one there.
  std::optional<wire::hub::Ended> previous{};
  std::vector<Unacknowledged> unacknowledged{};  ///< By the previous one.
  std::string device{};                          ///< As it was asked; of a resumed session at least its own.
  std::optional<wire::hub::Reason> refused{};
};
struct Subscribed {
  ConnectionRef to;
  wire::hub::Conversation conversation;
  wire::hub::Position head;
  std::uint32_t members = 0;
  std::optional<wire::hub::Position> after{};  ///< Where it begins to read; none: with what comes next.
  /// What it had asked to begin after, where that is not in this history.
  std::optional<wire::hub::Position> unknown{};
  std::uint64_t interest = 0;  ///< As it was asked.
  std::optional<wire::hub::Reason> refused{};
};
struct Page {
  ConnectionRef to;
  wire::hub::Conversation of;
  Read::Purpose purpose = Read::Purpose::replay;
  Result<LogPage> page;
  wire::hub::Position asked_after;
  std::uint64_t last = 0;      ///< As it was asked.
  std::uint64_t interest = 0;  ///< As it was asked.
  wire::hub::Position head;
  std::uint64_t epoch = 0;           ///< Of a pull: as it was asked.
  std::optional<Stretch> foreign{};  ///< Of a pull: `Home::Reading`.
  flow::Charge memory{};

  /// Of a pull: nothing of what was asked is in this history, and nothing was read.
  [[nodiscard]] bool is_all_foreign() const { return foreign && foreign->first == asked_after.offset + 1; }
};
struct DeliverRequest {
  ConnectionRef to;
  wire::hub::Delivery delivery;
  std::vector<ConnectionRef> tried{};  ///< Before; as in `Ask`.
  flow::Charge memory{};
};
/// From whoever was asked.
struct ReplyFrom {
  ConnectionRef to;
  std::string user;
  wire::hub::Reply reply;
  flow::Charge memory{};
};
struct CutConnection {
  ConnectionRef to;
  wire::hub::Kick kick;
};

/// Its user has as many connections as they may have, and another has come: does it live?
struct Probe {
  ConnectionRef to;
  std::string user;
};
/// Its place among those that are not welcome yet goes to a newcomer.
struct GiveWay {
  ConnectionRef to;
};

// --- to every connection of a shard that has subscribed ---

struct HandOut {
  wire::hub::Conversation conversation;
  SharedBatch batch;
};
struct Presence {
  wire::hub::Presence what;
};

}  // namespace sluice::hub::mail

namespace sluice::hub {

using Mail = std::variant<mail::Publish, mail::Subscribe, mail::Unsubscribe, mail::Read, mail::Processed,
                          mail::Abandon, mail::AskWho, mail::Attach, mail::Detach, mail::Ask, mail::Answer,
                          mail::Attached, mail::Subscribed, mail::Page, mail::DeliverRequest, mail::ReplyFrom,
                          mail::CutConnection, mail::GiveWay, mail::Probe, mail::Probed, mail::HandOut,
                          mail::Presence>;

}  // namespace sluice::hub
