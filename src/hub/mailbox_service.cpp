#include "hub/mailbox_service.hpp"

#include <random>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "hub/mailbox_codec.hpp"
#include "observe/log.hpp"
#include "transport/address_block.hpp"

namespace sluice::hub {

namespace asio = boost::asio;
using observe::LogLevel;

/// One link and who it is to the mailboxes.
class MailboxService::Connection final : public transport::LinkListener {
 public:
  Connection(MailboxService& service, ConnectionId id, transport::AcceptedLink accepted)
      : service_(service),
        id_(id),
        link_(std::move(accepted.link)),
        from_(std::move(accepted.remote_address)) {}

  void listen() { link_->listen(*this); }
  [[nodiscard]] transport::Link& link() { return *link_; }
  [[nodiscard]] const std::string& from() const { return from_; }
  void close() {
    closing_ = true;
    link_->close();
  }

 private:
  void on_message(ByteView message) override {
    if (!closing_) service_.heard(id_, message);
  }
  void on_buffered_amount_low() override {}  // a place never waits: beyond its bound it is cut
  void on_closed(const Error& reason) override { service_.ended(id_, reason); }

  MailboxService& service_;
  ConnectionId id_;
  bool closing_ = false;
  std::unique_ptr<transport::Link> link_;
  std::string from_;
};

MailboxService::MailboxService(asio::any_io_executor executor, MailboxServiceOptions options, Random random)
    : options_(options),
      mailboxes_(options_.limits, std::move(random)),
      timer_(std::move(executor), TimePoint::max()) {}

MailboxService::~MailboxService() = default;

void MailboxService::accept(transport::AcceptedLink accepted) {
  const ConnectionId id{++last_id_};
  const auto [place, fresh] =
      connections_.emplace(id, std::make_unique<Connection>(*this, id, std::move(accepted)));
  auto actions = mailboxes_.connected(id, place->second->from(), Clock::now());
  place->second->listen();
  carry_out(std::move(actions));
}

void MailboxService::heard(ConnectionId id, ByteView message) {
  auto request = decode_request(as_text(message));
  const TimePoint now = Clock::now();
  carry_out(request ? mailboxes_.handle(id, std::move(*request), now)
                    : mailboxes_.malformed(id, request.error().message, now));
}

void MailboxService::ended(ConnectionId id, const Error& reason) {
  observe::log(LogLevel::debug, "hub", [&] { return "connection ended: " + describe(reason); });
  const LeaveReason why = reason.code == Errc::closed ? LeaveReason::left : LeaveReason::lost;
  auto actions = mailboxes_.disconnected(id, why, Clock::now());
  retire(id);
  carry_out(std::move(actions));
}

void MailboxService::carry_out(MailboxActions actions) {
  struct Act {
    MailboxService& service;
    void operator()(Send& action) const { service.send(action.to, action.reply); }
    void operator()(Close& action) const {
      if (const auto found = service.connections_.find(action.who); found != service.connections_.end()) {
        found->second->close();
      }
    }
  };
  for (auto& action : actions) std::visit(Act{*this}, action);
  // Cutting one may have something to say to another: again, until nobody is left to cut.
  while (!too_slow_.empty()) {
    const ConnectionId id = too_slow_.back();
    too_slow_.pop_back();
    auto more = mailboxes_.disconnected(id, LeaveReason::too_slow, Clock::now());
    retire(id);
    for (auto& action : more) std::visit(Act{*this}, action);
  }
  reschedule();
}

void MailboxService::send(ConnectionId to, const Reply& reply) {
  const auto found = connections_.find(to);
  if (found == connections_.end()) return;
  if (const auto* refusal = std::get_if<Refusal>(&reply)) log_refusal(*refusal, found->second->from());
  const std::string text = encode_reply(reply);
  transport::Link& link = found->second->link();
  const bool fits = link.buffered_amount() + Bytes{text.size()} <= options_.place_buffer;
  // A link that is ended already tells so itself, in on_closed.
  if (!fits) too_slow_.push_back(to);
  if (fits) (void)link.send(as_bytes(text));
}

/// What an operator wants to know of goes to the log once in a while for each kind and network: the owner of
/// an IPv6 /48 has 65,536 /64s to come from.
void MailboxService::log_refusal(const Refusal& refusal, const std::string& address) {
  observe::log(LogLevel::debug, "hub", [&] { return "refused: " + refusal.message; });
  const bool is_limit =
      refusal.code == RefusalCode::too_many_tries || refusal.code == RefusalCode::limit_exceeded;
  if (!is_limit) return;
  const std::string from = transport::address_blocks(address).wide;
  if (const auto times = refusals_.note(from + ' ' + refusal.message, Clock::now())) {
    const std::uint64_t others = refusals_.take_others();
    observe::log(LogLevel::warn, "hub",
                 "rejected mailbox requests from " + from + ": " + refusal.message + " (" +
                     std::to_string(*times) + " since this was said last)" +
                     (others == 0 ? "" : "; and " + std::to_string(others) + " of other kinds or addresses"));
  }
}

/// Takes a connection out of service. It is freed, and its link cut if it still stands, in a turn of `run`:
/// this may be one of its own calls.
void MailboxService::retire(ConnectionId id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  retired_.push_back(std::move(found->second));
  connections_.erase(found);
}

void MailboxService::reschedule() {
  TimePoint next = mailboxes_.next_deadline().value_or(TimePoint::max());
  if (!retired_.empty()) next = TimePoint::min();
  if (next < timer_.expiry()) timer_.expires_at(next);  // wakes `run`
}

asio::awaitable<void> MailboxService::run() {
  for (;;) {
    co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));  // cancelled when rescheduled
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) co_return;
    retired_.clear();
    timer_.expires_at(TimePoint::max());
    carry_out(mailboxes_.expire(Clock::now()));
  }
}

Random system_random() {
  std::random_device device;
  std::seed_seq seed{device(), device(), device(), device()};
  return [generator = std::mt19937{seed}](std::uint32_t bound) mutable {
    return std::uniform_int_distribution<std::uint32_t>{0, bound - 1}(generator);
  };
}

}  // namespace sluice::hub
