#include "client/mailbox_client.hpp"

#include <algorithm>
#include <utility>

#include "core/ensure.hpp"

namespace sluice::client {

namespace asio = boost::asio;

namespace {

/// How long to wait before a busy mailbox is tried again when the hub names no time, and at the least.
constexpr auto kRetry = std::chrono::milliseconds{1000};
constexpr auto kShortestRetry = std::chrono::milliseconds{50};

/// Everything else that waits has the size of an error's sentence.
Bytes size_of_body(const MailboxEvent& event) {
  const auto* const delivered = std::get_if<Delivered>(&event);
  return delivered == nullptr ? Bytes{} : size_of(delivered->body);
}

}  // namespace

MailboxClient::MailboxClient(asio::any_io_executor executor, std::unique_ptr<transport::Link> link,
                             MailboxTimes times)
    : link_(std::move(link)), times_(times), wake_up_(executor), heard_(Clock::now()), pinged_(heard_) {
  link_->listen(*this);
}

Status MailboxClient::send(const Request& request) {
  if (ended_) return fail(*ended_);
  return link_->send(as_bytes(encode(request)));
}

void MailboxClient::on_message(ByteView message) {
  if (ended_) return;
  heard_ = Clock::now();
  auto reply = decode_reply(as_text(message));
  if (!reply) {
    end(std::move(reply).error());
  } else {
    handle(std::move(*reply));
  }
  wake();
}

void MailboxClient::on_closed(const Error& reason) {
  if (!ended_) end(Error{reason}.as_cause_of(Errc::link_lost, "The connection to the hub has ended"));
  wake();
}

void MailboxClient::end(Error error) {
  ended_ = std::move(error);
  link_->close();
}

void MailboxClient::answered(Answer answer) {
  if (!asking_) {
    ++drops_.untimely;
    return;
  }
  asking_ = false;
  answer_ = std::move(answer);
}

void MailboxClient::handle(Reply reply) {
  const auto keep = [this](MailboxEvent event) {
    const Bytes size = size_of_body(event);
    if (inbox_.size() < limits::kMailboxInbox && inbox_bytes_ + size <= limits::kMailboxInboxBytes) {
      inbox_bytes_ += size;
      inbox_.push_back(std::move(event));
    } else {
      end({.code = Errc::limit_exceeded, .message = "The hub sends more than can be taken."});
    }
  };
  struct Visitor {
    MailboxClient& self;
    decltype(keep)& keep_;
    void operator()(Opened& opened) const { self.answered(std::move(opened)); }
    void operator()(Joined& joined) const { self.answered(joined); }
    void operator()(Refused& refused) const {
      if (self.asking_) {
        self.answered(std::move(refused));
      } else {
        keep_(std::move(refused));
      }
    }
    void operator()(PeerJoined& event) const { keep_(event); }
    void operator()(PeerLeft& event) const { keep_(std::move(event)); }
    void operator()(Delivered& event) const { keep_(std::move(event)); }
    void operator()(Expired& event) const { keep_(event); }
    void operator()(Pong&) const {}
    void operator()(Unknown&) const { ++self.drops_.unknown; }
  };
  std::visit(Visitor{.self = *this, .keep_ = keep}, reply);
}

std::optional<MailboxEvent> MailboxClient::take() {
  if (!inbox_.empty()) {
    auto event = std::move(inbox_.front());
    inbox_.pop_front();
    inbox_bytes_ -= size_of_body(event);
    return event;
  }
  if (ended_) return HubGone{.error = *ended_};
  return std::nullopt;
}

void MailboxClient::keep_alive(TimePoint now) {
  if (ended_) return;
  if (now - heard_ >= times_.silence) {
    end({.code = Errc::link_lost, .message = "The hub no longer answers."});
    wake();
  } else if (now - std::max(heard_, pinged_) >= times_.ping) {
    pinged_ = now;
    if (auto sent = send(Ping{}); !sent) end(std::move(sent).error());
  }
}

asio::awaitable<void> MailboxClient::wait(TimePoint until) {
  keep_alive(Clock::now());
  const TimePoint look_again =
      ended_ ? until : std::min(std::max(heard_, pinged_) + times_.ping, heard_ + times_.silence);
  co_await wake_up_.wait_until(std::min(until, look_again));
}

asio::awaitable<Result<MailboxClient::Answer>> MailboxClient::ask(Request request) {
  ENSURE(!asking_);
  if (auto sent = send(request); !sent) co_return fail(std::move(sent).error());
  asking_ = true;
  const TimePoint until = Clock::now() + times_.reply;
  while (!answer_ && !ended_) {
    if (Clock::now() >= until) {
      end({.code = Errc::timed_out, .message = "The hub does not answer."});
      break;
    }
    co_await wait(until);
  }
  asking_ = false;
  if (!answer_) co_return fail(*ended_);
  co_return *std::exchange(answer_, std::nullopt);
}

asio::awaitable<Result<Opened>> MailboxClient::open(std::optional<std::string> name) {
  Request request = Open{.name = std::move(name)};
  auto answer = co_await ask(std::move(request));
  if (!answer) co_return fail(std::move(answer).error());
  if (auto* opened = std::get_if<Opened>(&*answer)) co_return std::move(*opened);
  if (auto* refused = std::get_if<Refused>(&*answer)) co_return fail(std::move(refused->error));
  co_return fail(Errc::protocol_violation, "The hub gave another answer than the one asked for.");
}

asio::awaitable<Status> MailboxClient::join(std::string mailbox, TimePoint until) {
  for (;;) {
    Request request = Join{.mailbox = mailbox};
    auto answer = co_await ask(std::move(request));
    if (!answer) co_return fail(std::move(answer).error());
    if (std::holds_alternative<Joined>(*answer)) co_return Status{};
    auto* refused = std::get_if<Refused>(&*answer);
    if (refused == nullptr) {
      co_return fail(Errc::protocol_violation, "The hub gave another answer than the one asked for.");
    }
    const TimePoint again = Clock::now() + std::max(kShortestRetry, refused->retry_after.value_or(kRetry));
    if (refused->why != Refused::Why::busy || again >= until) co_return fail(std::move(refused->error));
    while (!ended_ && Clock::now() < again) co_await wait(again);
  }
}

asio::awaitable<void> MailboxClient::close() {
  link_->close();
  const TimePoint until = Clock::now() + limits::kVisitorGrace;
  while (!ended_ && Clock::now() < until) co_await wait(until);
}

}  // namespace sluice::client
