#include <algorithm>
#include <sluice/v1/envelope.pb.h>
#include <string>
#include <variant>

#include "core/hub_limits.hpp"
#include "core/utf8.hpp"
#include "wire/hub/schema.hpp"

namespace sluice::wire::hub {
namespace {

v1::Reason of(Reason reason) {
  return static_cast<v1::Reason>(reason);
}

v1::Level of(Level level) {
  return static_cast<v1::Level>(level);
}

/// An explanation. What is not well-formed, from a library perhaps, ends where it stops to be.
std::string of(const std::string& text) {
  return std::string{utf8_prefix(text, limits::kMaxExplanation.count())};
}

void fill(v1::Conversation& out, const Conversation& conversation) {
  switch (conversation.kind) {
    case Conversation::Kind::user:
      return out.set_user(conversation.name);
    case Conversation::Kind::group:
      return out.set_group(conversation.name);
    case Conversation::Kind::all:
      return out.set_all(true);
  }
}

void fill(v1::Content& out, const Content& content) {
  content.kind == Content::Kind::text ? out.set_text(content.bytes) : out.set_data(content.bytes);
}

void fill(v1::Position& out, const Position& position) {
  out.set_epoch(position.epoch);
  out.set_offset(position.offset);
}

// --- from a client ---

void fill(v1::Envelope& envelope, const Hello& hello) {
  v1::Hello& out = *envelope.mutable_hello();
  out.set_token(hello.token);
  out.set_user(hello.user);
  out.set_acknowledges(hello.acknowledges);
  out.set_agent(hello.agent);
  out.set_device(hello.device);
  if (!hello.resume) return;
  out.mutable_resume()->set_session_token(hello.resume->session_token);
  for (const PositionIn& place : hello.resume->positions) {
    v1::Position& position = *out.mutable_resume()->add_positions();
    fill(*position.mutable_conversation(), place.conversation);
    fill(position, place.position);
  }
}

void fill(v1::Envelope& envelope, const Publish& publish) {
  v1::Publish& out = *envelope.mutable_publish();
  out.set_seq(publish.seq);
  out.set_id(publish.id);
  fill(*out.mutable_to(), publish.to);
  fill(*out.mutable_content(), publish.content);
  out.set_level(of(publish.level));
  out.set_key(publish.key);
  out.set_ttl_ms(publish.ttl_ms);
}

void fill(v1::Envelope& envelope, const Request& request) {
  v1::Request& out = *envelope.mutable_request();
  out.set_seq(request.seq);
  out.set_id(request.id);
  out.set_user(request.user);
  fill(*out.mutable_content(), request.content);
  out.set_timeout_ms(request.timeout_ms);
}

void fill(v1::Envelope& envelope, const Join& join) {
  v1::Join& out = *envelope.mutable_join();
  out.set_group(join.group);
  if (join.from) fill(*out.mutable_from(), *join.from);
  out.set_presence(join.presence);
}

void fill(v1::Envelope& envelope, const Leave& leave) {
  envelope.mutable_leave()->set_group(leave.group);
}

void fill(v1::Envelope& envelope, const Pull& pull) {
  v1::Pull& out = *envelope.mutable_pull();
  fill(*out.mutable_conversation(), pull.conversation);
  out.set_epoch(pull.epoch);
  out.set_first(pull.first);
  out.set_last(pull.last);
}

void fill(v1::Envelope& envelope, const Who& who) {
  envelope.mutable_who()->set_group(who.group);
}

void fill(v1::Envelope& envelope, const Refresh& refresh) {
  envelope.mutable_refresh()->set_token(refresh.token);
}

// --- from the hub ---

void fill(v1::Ended& out, const Ended& ended) {
  out.set_reason(of(ended.reason));
  out.set_at_ms(ended.at);
  out.set_bytes_waiting(ended.waiting.count());
  out.set_oldest_ms(ended.oldest_ms);
  const std::size_t kept = std::min(ended.history.size(), limits::kPressureSamples);
  for (std::size_t i = ended.history.size() - kept; i < ended.history.size(); ++i) {
    v1::PressureSample& sample = *out.add_history();
    sample.set_at_ms(ended.history[i].at);
    sample.set_bytes_waiting(ended.history[i].waiting.count());
    sample.set_bytes_unacknowledged(ended.history[i].unacknowledged.count());
    sample.set_oldest_ms(ended.history[i].oldest_ms);
    sample.set_writable(ended.history[i].writable);
  }
}

void fill(v1::Limits& out, const Limits& limits) {
  out.set_max_message_bytes(limits.max_message.count());
  out.set_window_bytes(limits.window.count());
  out.set_max_groups(limits.max_groups);
  out.set_messages_per_second(limits.messages_per_second);
  out.set_bytes_per_second(limits.bytes_per_second.count());
  out.set_message_burst(limits.message_burst);
  out.set_byte_burst(limits.byte_burst.count());
  out.set_max_unanswered(limits.max_unanswered);
  out.set_max_connections(limits.max_connections);
}

void fill(v1::Envelope& envelope, const Welcome& welcome) {
  v1::Welcome& out = *envelope.mutable_welcome();
  out.set_user(welcome.user);
  out.set_session(welcome.session);
  out.set_session_token(welcome.session_token);
  out.set_epoch(welcome.epoch);
  out.set_resumed(welcome.resumed);
  fill(*out.mutable_limits(), welcome.limits);
  out.set_heartbeat_interval_ms(welcome.heartbeat_interval_ms);
  if (welcome.previous) fill(*out.mutable_previous(), *welcome.previous);
  if (welcome.inbox == Position{}) return;
  out.mutable_inbox()->mutable_conversation()->set_user(welcome.user);
  fill(*out.mutable_inbox(), welcome.inbox);
}

void fill(v1::Envelope& envelope, const Delivery& delivery) {
  v1::Delivery& out = *envelope.mutable_delivery();
  out.set_from(delivery.from);
  fill(*out.mutable_to(), delivery.to);
  out.set_id(delivery.id);
  out.set_epoch(delivery.position.epoch);
  out.set_offset(delivery.position.offset);
  out.set_sent_at_ms(delivery.sent_at);
  fill(*out.mutable_content(), delivery.content);
  out.set_key(delivery.key);
  out.set_critical(delivery.critical);
  out.set_replayed(delivery.replayed);
  out.set_request(delivery.request);
  out.set_timeout_ms(delivery.timeout_ms);
}

void fill(v1::Envelope& envelope, const Receipt& receipt) {
  v1::Receipt& out = *envelope.mutable_receipt();
  out.set_seq(receipt.seq);
  out.set_id(receipt.id);
  out.set_level(of(receipt.level));
  out.set_reason(of(receipt.reason));
  out.set_message(of(receipt.message));
  out.set_retry_after_ms(receipt.retry_after_ms);
  out.set_epoch(receipt.position.epoch);
  out.set_offset(receipt.position.offset);
  out.set_duplicate(receipt.duplicate);
}

void fill(v1::Envelope& envelope, const Gap& gap) {
  v1::Gap& out = *envelope.mutable_gap();
  fill(*out.mutable_conversation(), gap.conversation);
  out.set_epoch(gap.epoch);
  out.set_first(gap.first);
  out.set_last(gap.last);
  out.set_count(gap.count);
  out.set_reason(of(gap.reason));
  out.set_gone(gap.gone);
  if (gap.from) fill(*out.mutable_from(), *gap.from);
}

void fill(v1::Envelope& envelope, const Joined& joined) {
  v1::Joined& out = *envelope.mutable_joined();
  out.set_group(joined.group);
  out.set_epoch(joined.position.epoch);
  out.set_offset(joined.position.offset);
  out.set_members(joined.members);
}

void fill(v1::Envelope& envelope, const Left& left) {
  envelope.mutable_left()->set_group(left.group);
  envelope.mutable_left()->set_reason(of(left.reason));
}

void fill(v1::Envelope& envelope, const Pulled& pulled) {
  v1::Pulled& out = *envelope.mutable_pulled();
  fill(*out.mutable_conversation(), pulled.conversation);
  out.set_epoch(pulled.last.epoch);
  out.set_last(pulled.last.offset);
  out.set_more(pulled.more);
}

void fill(v1::Envelope& envelope, const Members& members) {
  v1::Members& out = *envelope.mutable_members();
  out.set_group(members.group);
  for (const std::string& user : members.users) out.add_users(user);
  out.set_more(members.more);
}

void fill(v1::Envelope& envelope, const Presence& presence) {
  v1::Presence& out = *envelope.mutable_presence();
  out.set_group(presence.group);
  out.set_user(presence.user);
  out.set_online(presence.online);
}

void fill(v1::Envelope& envelope, const Refreshed& refreshed) {
  v1::Refreshed& out = *envelope.mutable_refreshed();
  out.set_expires_at_ms(refreshed.expires_at);
  if (refreshed.limits) fill(*out.mutable_limits(), *refreshed.limits);
}

void fill(v1::Envelope& envelope, const Refusal& refusal) {
  v1::Error& out = *envelope.mutable_error();
  out.set_reason(of(refusal.reason));
  out.set_message(of(refusal.message));
  out.set_retry_after_ms(refusal.retry_after_ms);
  out.set_seq(refusal.seq);
  out.set_group(refusal.group);
}

void fill(v1::Envelope& envelope, const Kick& kick) {
  v1::Kick& out = *envelope.mutable_kick();
  out.set_reason(of(kick.reason));
  out.set_message(of(kick.message));
  out.set_retry_after_ms(kick.retry_after_ms);
}

// --- from both ---

void fill(v1::Envelope& envelope, const Ack& ack) {
  envelope.mutable_ack()->set_seq(ack.seq);
}

void fill(v1::Envelope& envelope, const Ping& ping) {
  envelope.mutable_ping()->set_nonce(ping.nonce);
}

void fill(v1::Envelope& envelope, const Pong& pong) {
  envelope.mutable_pong()->set_nonce(pong.nonce);
}

void fill(v1::Envelope& envelope, const Reply& reply) {
  v1::Reply& out = *envelope.mutable_reply();
  out.set_request(reply.request);
  if (reply.reason == Reason::none || reply.content != Content{}) fill(*out.mutable_content(), reply.content);
  out.set_reason(of(reply.reason));
  out.set_message(of(reply.message));
  out.set_retry_after_ms(reply.retry_after_ms);
}

}  // namespace

void fill(v1::Envelope& envelope, const FromHub& message) {
  std::visit([&](const auto& body) { fill(envelope, body); }, message);
}

void fill(v1::Envelope& envelope, const FromClient& message) {
  std::visit([&](const auto& body) { fill(envelope, body); }, message);
}

}  // namespace sluice::wire::hub
