#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/json.hpp>

#include "client/mailbox_client.hpp"
#include "client/testing/link_pair.hpp"

namespace sluice::client::testing {

/// A hub for tests: mailboxes as docs/wire/mailbox.md has them, without limits, over paired links; as
/// unreachable, forgetful or hostile as the test wants.
class FakeHub {
 public:
  explicit FakeHub(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}

  Connector connector() {
    return [this]() -> boost::asio::awaitable<Result<std::unique_ptr<transport::Link>>> { return connect(); };
  }

  /// Every connection ends without a word.
  void cut_all() { places_.clear(); }
  /// Every numbered mailbox runs out.
  void expire_all() {
    for (auto& place : places_) {
      if (!place->host || place->mailbox.size() >= 10) continue;
      place->tell({{"type", "expired"}});
      place->leave();
    }
  }

  [[nodiscard]] std::size_t connections() {
    collect();
    return places_.size();
  }
  /// How many requests of that type came.
  [[nodiscard]] int heard(std::string_view type) const {
    const auto found = heard_.find(std::string{type});
    return found == heard_.end() ? 0 : found->second;
  }

  bool reachable = true;
  Errc why_not = Errc::unreachable;  ///< What a connection fails with while it is not reachable.
  bool silent = false;               ///< Takes everything, answers nothing.
  int busy = 0;                      ///< So many joins find the place taken.
  /// What is delivered instead of a relayed body (base64), `to_host` or to the client; nothing: dropped.
  struct Body {
    bool to_host;
    std::string base64;
  };
  std::function<std::optional<std::string>(const Body&)> relay;
  /// Says that to every connection.
  void tell_all(const std::string& text) {
    for (auto& place : places_) (void)place->link->send(as_bytes(text));
  }

 private:
  struct Place final : transport::LinkListener {
    Place(FakeHub& of, std::unique_ptr<transport::Link> to) : hub(of), link(std::move(to)) {}
    void on_message(ByteView message) override { hub.handle(*this, as_text(message)); }
    void on_buffered_amount_low() override {}
    void on_closed(const Error&) override {
      hub.left(*this, "left");
      gone = true;
    }
    void tell(const boost::json::object& object) {
      (void)link->send(as_bytes(boost::json::serialize(object)));
    }
    void refuse(std::string_view code) {
      tell({{"type", "error"}, {"code", code}, {"message", "no"}, {"retry_after_ms", 50}});
    }
    void leave() { mailbox.clear(); }
    FakeHub& hub;
    std::unique_ptr<transport::Link> link;
    std::string mailbox;
    bool host = false;
    bool gone = false;
    std::uint64_t visit = 0;
  };

  boost::asio::awaitable<Result<std::unique_ptr<transport::Link>>> connect() {
    if (!reachable) co_return fail(why_not, "no hub");
    auto [ours, theirs] = PairedLink::make(executor_);
    collect();
    places_.push_back(std::make_unique<Place>(*this, std::move(ours)));
    places_.back()->link->listen(*places_.back());
    co_return std::move(theirs);
  }

  void collect() {
    places_.remove_if([](const auto& place) { return place->gone; });
  }

  enum class Seat { host, visitor };
  Place* find(const std::string& mailbox, Seat seat) {
    const auto found = std::ranges::find_if(places_, [&](const auto& place) {
      return !place->gone && place->mailbox == mailbox && place->host == (seat == Seat::host);
    });
    return mailbox.empty() || found == places_.end() ? nullptr : found->get();
  }

  void handle(Place& from, std::string_view text) {
    const boost::json::object request = boost::json::parse(text).as_object();
    const std::string type{request.at("type").as_string()};
    ++heard_[type];
    if (silent) return;
    if (type == "open") return open(from, request);
    if (type == "join") return join(from, std::string{request.at("mailbox").as_string()});
    if (type == "message") return pass_on(from, request);
    if (type == "release") return release(from, request.at("introduction").to_number<std::uint64_t>());
    if (type == "burn") return burn(from);
    if (type == "ping") from.tell({{"type", "pong"}});
  }

  void open(Place& from, const boost::json::object& request) {
    const auto* name = request.if_contains("name");
    from.mailbox = name != nullptr ? std::string{name->as_string()} : std::to_string(++last_number_);
    if (find(from.mailbox, Seat::host) != nullptr) {
      from.leave();
      return from.refuse("busy");
    }
    from.host = true;
    boost::json::object opened{{"type", "opened"}, {"mailbox", from.mailbox}};
    if (name == nullptr) opened["expires_in_s"] = 600;
    from.tell(opened);
  }

  void join(Place& from, const std::string& mailbox) {
    Place* host = find(mailbox, Seat::host);
    if (host == nullptr) return from.refuse("not_found");
    if (busy > 0 || find(mailbox, Seat::visitor) != nullptr) {
      --busy;
      return from.refuse("busy");
    }
    from.mailbox = mailbox;
    from.visit = host->visit = ++visits_;
    from.tell({{"type", "joined"}});
    host->tell({{"type", "peer_joined"}, {"introduction", from.visit}});
  }

  void pass_on(Place& from, const boost::json::object& request) {
    Place* to = find(from.mailbox, from.host ? Seat::visitor : Seat::host);
    if (to == nullptr) return;
    std::optional<std::string> body{request.at("body").as_string()};
    if (relay) body = relay({.to_host = to->host, .base64 = *body});
    if (body) to->tell({{"type", "message"}, {"body", *body}});
  }

  void release(Place& from, std::uint64_t visit) {
    Place* visitor = find(from.mailbox, Seat::visitor);
    if (visitor == nullptr || visitor->visit != visit) return;
    visitor->tell({{"type", "peer_left"}, {"reason", "released"}});
    visitor->leave();
  }

  void burn(Place& from) {
    if (Place* visitor = find(from.mailbox, Seat::visitor)) {
      visitor->refuse("burnt");
      visitor->leave();
      visitor->link->close();
    }
    from.leave();
  }

  void left(Place& place, std::string_view reason) {
    Place* other = find(place.mailbox, place.host ? Seat::visitor : Seat::host);
    place.leave();
    if (other == nullptr) return;
    other->tell({{"type", "peer_left"}, {"reason", reason}});
    if (!other->host) other->leave();
  }

  boost::asio::any_io_executor executor_;
  std::list<std::unique_ptr<Place>> places_;
  std::map<std::string, int> heard_;
  std::uint64_t last_number_ = 6;
  std::uint64_t visits_ = 0;
};

}  // namespace sluice::client::testing
