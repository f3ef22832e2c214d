#include "api/load_client.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "core/hub_limits.hpp"
#include "wire/hub/codec.hpp"
#include "wire/hub/peek.hpp"

namespace sluice::api {
namespace {

namespace asio = boost::asio;
using transport::MessageKind;
using wire::hub::Encoding;
using wire::hub::Reason;

std::int64_t nanoseconds(TimePoint time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

}  // namespace

LoadCounts& LoadCounts::operator+=(const LoadCounts& other) {
  sent += other.sent;
  accepted += other.accepted;
  refused += other.refused;
  held_back += other.held_back;
  strange += other.strange;
  slow_cut += other.slow_cut;
  normal_cut += other.normal_cut;
  reconnects += other.reconnects;
  longest_to_cut = std::max(longest_to_cut, other.longest_to_cut);
  if (!other.last_trouble.empty()) last_trouble = other.last_trouble;
  return *this;
}

LoadClient::LoadClient(const asio::any_io_executor& executor, const LoadOptions& options, Role role,
                       Shared& shared)
    : options_(options), role_(std::move(role)), shared_(shared), rest_(executor) {}

// --- the connection

void LoadClient::open(transport::ConnectedSocket connected) {
  connection_ = std::move(connected);
  state_ = State::greeting;
  dropped_ = false;
  farewell_.clear();
  last_seq_ = counted_ = acknowledged_ = 0;
  out_.clear();
  sent_ = 0;
  blocked_ = false;
  connection_.socket->listen(*this);
  wire::hub::Hello hello{.user = role_.user,
                         .acknowledges = options_.acknowledge == LoadOptions::Acknowledge::yes,
                         .agent = "sluice load"};
  if (!session_token_.empty()) {
    hello.resume = wire::hub::Resume{.session_token = session_token_};
    if (const auto done = book_.done()) {
      using Kind = wire::hub::Conversation::Kind;
      wire::hub::PositionIn place{.conversation = {.kind = Kind::user, .name = role_.user},
                                  .position = *done};
      if (!role_.group.empty()) place.conversation = {.kind = Kind::group, .name = role_.group};
      hello.resume->positions.push_back(std::move(place));
    }
  }
  say(hello);
}

void LoadClient::welcome(const wire::hub::Welcome& welcome) {
  const bool joins = !role_.group.empty();
  const bool again = !session_token_.empty();
  session_token_ = welcome.session_token;
  if (!joins) return become_ready();
  // A resumed session is in its group again, if it had come anywhere in it.
  if (again && welcome.resumed && book_.done()) return;
  wire::hub::Join join{.group = role_.group};
  if (again) join.from = book_.done();
  say(join);
}

void LoadClient::become_ready() {
  state_ = State::ready;
  for (Unanswered& message : unanswered_) send(message);
  shared_.on_ready(*this);
}

void LoadClient::drop() {
  dropped_ = true;
  if (connection_.socket != nullptr) connection_.socket->cut();
}

void LoadClient::close() {
  over_ = true;
  rest_.cancel();
  if (connection_.socket != nullptr) connection_.socket->close({});
}

void LoadClient::on_closed(const Error& reason) {
  state_ = State::away;
  rest_.cancel();
  if (!over_ && !dropped_) {
    // The hub did it.
    over_ = true;
    LoadCounts& counts = shared_.counts;
    counts.last_trouble = farewell_.empty() ? describe(reason) : farewell_;
    if (role_.slow && stalled_since_) {
      ++counts.slow_cut;
      counts.longest_to_cut = std::max(counts.longest_to_cut, Clock::now() - *stalled_since_);
    } else {
      ++counts.normal_cut;
    }
    for (const Unanswered& message : unanswered_) ++shared_.sent_to[message.conversation].unanswered;
    unanswered_.clear();
  }
  shared_.on_ended(*this);
}

// --- out

void LoadClient::publish(const wire::hub::Conversation& to, std::uint32_t conversation) {
  const bool full =
      out_.size() - sent_ >= limits::kLoadBacklog.count() || unanswered_.size() >= limits::kUnanswered;
  if (over_) return;
  if (state_ != State::ready || full) {
    ++shared_.counts.held_back;
    return;
  }
  ++shared_.counts.sent;
  unanswered_.push_back({.number = ++last_number_,
                         .conversation = conversation,
                         .to = to,
                         .sent_ns = nanoseconds(Clock::now())});
  send(unanswered_.back());
}

void LoadClient::send(Unanswered& message) {
  message.seq = ++last_seq_;
  const LoadStamp stamp{
      .run = options_.run, .sender = role_.index, .number = message.number, .sent_ns = message.sent_ns};
  say(wire::hub::Publish{
      .seq = message.seq,
      .id = fmt::format("{}-{}-{}", options_.prefix, role_.index, message.number),
      .to = message.to,
      .content = {.kind = wire::hub::Content::Kind::data, .bytes = stamped(stamp, options_.size)}});
}

void LoadClient::say(const wire::hub::FromClient& message) {
  scratch_.clear();
  wire::hub::append(scratch_, options_.encoding, message);
  connection_.append_frame(
      out_, options_.encoding == Encoding::json ? MessageKind::text : MessageKind::binary, scratch_);
  flush();
}

void LoadClient::flush() {
  if (blocked_) return;
  sent_ += connection_.socket->write(ByteView{out_}.subspan(sent_));
  blocked_ = sent_ < out_.size();
  if (blocked_) return;
  out_.clear();
  sent_ = 0;
}

void LoadClient::on_writable() {
  blocked_ = false;
  flush();
}

void LoadClient::acknowledge() {
  const bool wanted = options_.acknowledge == LoadOptions::Acknowledge::yes && state_ == State::ready;
  // Who rests has processed nothing.
  const bool resting = role_.slow && !hurrying_;
  if (!wanted || resting || acknowledged_ == counted_) return;
  acknowledged_ = counted_;
  say(wire::hub::Ack{.seq = acknowledged_});
}

// --- in

void LoadClient::on_message(MessageKind /*kind*/, ByteView message) {
  if (over_) return;
  if (options_.encoding == Encoding::proto) {
    if (const auto delivery = wire::hub::glance_at_delivery(message))
      return take(delivery->position, delivery->replayed, delivery->content);
  }
  auto said = wire::hub::decode_from_hub(options_.encoding, message);
  if (said) return handle(std::move(*said));
  ++shared_.counts.strange;
  shared_.counts.last_trouble = said.error().message;
}

void LoadClient::take(const wire::hub::Position& position, bool replayed, ByteView content) {
  ++counted_;
  const auto stamp = read_stamp(content);
  if (!stamp || stamp->run != options_.run) {
    ++shared_.counts.strange;
  } else {
    book_.take(position, replayed ? ReceiverBook::Source::log : ReceiverBook::Source::live, stamp->sender,
               stamp->number);
    if (!role_.slow && !replayed)
      shared_.latencies.record(std::chrono::nanoseconds{nanoseconds(Clock::now()) - stamp->sent_ns});
  }
  if (counted_ - acknowledged_ >= limits::kClientAckEvery) acknowledge();
  if (role_.slow && !hurrying_) rest();
}

void LoadClient::rest() {
  if (!stalled_since_) stalled_since_ = Clock::now();
  connection_.socket->pause_reading();
  rest_.expires_after(options_.slow_delay);
  rest_.async_wait([this](const boost::system::error_code& error) {
    if (error || connection_.socket == nullptr || state_ == State::away) return;
    if (options_.acknowledge == LoadOptions::Acknowledge::yes && acknowledged_ < counted_) {
      acknowledged_ = counted_;
      say(wire::hub::Ack{.seq = acknowledged_});
    }
    connection_.socket->resume_reading();
  });
}

void LoadClient::hurry() {
  hurrying_ = true;
  if (rest_.cancel() > 0 && state_ == State::ready) connection_.socket->resume_reading();
}

void LoadClient::handle(wire::hub::FromHub message) {
  if (const auto* delivery = std::get_if<wire::hub::Delivery>(&message)) {
    take(delivery->position, delivery->replayed, as_bytes(delivery->content.bytes));
  } else if (const auto* ack = std::get_if<wire::hub::Ack>(&message)) {
    while (!unanswered_.empty() && unanswered_.front().seq <= ack->seq)
      answered(unanswered_.front().seq, true);
  } else if (const auto* receipt = std::get_if<wire::hub::Receipt>(&message)) {
    if (receipt->reason != Reason::none)
      shared_.counts.last_trouble =
          fmt::format("{}: {}", wire::hub::name_of(receipt->reason), receipt->message);
    answered(receipt->seq, receipt->reason == Reason::none);
  } else if (const auto* gap = std::get_if<wire::hub::Gap>(&message)) {
    ++counted_;
    book_.tell(*gap);
  } else if (const auto* greeting = std::get_if<wire::hub::Welcome>(&message)) {
    welcome(*greeting);
  } else if (const auto* joined = std::get_if<wire::hub::Joined>(&message)) {
    book_.begin_at(joined->position);
    if (state_ == State::greeting) become_ready();
  } else if (const auto* kick = std::get_if<wire::hub::Kick>(&message)) {
    farewell_ = fmt::format("{}: {}", wire::hub::name_of(kick->reason), kick->message);
  } else if (const auto* refusal = std::get_if<wire::hub::Refusal>(&message)) {
    shared_.counts.last_trouble =
        fmt::format("{}: {}", wire::hub::name_of(refusal->reason), refusal->message);
  } else if (const auto* ping = std::get_if<wire::hub::Ping>(&message)) {
    say(wire::hub::Pong{.nonce = ping->nonce});
  }
}

void LoadClient::answered(std::uint64_t seq, bool is_accepted) {
  const auto which = std::ranges::find(unanswered_, seq, &Unanswered::seq);
  if (which == unanswered_.end()) return;
  if (is_accepted) {
    ++shared_.counts.accepted;
    ++shared_.sent_to[which->conversation].accepted;
  } else {
    ++shared_.counts.refused;
  }
  unanswered_.erase(which);
}

}  // namespace sluice::api
