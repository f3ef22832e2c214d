#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>

#include "client/testing/link_pair.hpp"
#include "transport/peer_connection.hpp"

namespace sluice::rendezvous::testing {

/// Peer connections for tests, which find each other by the name in their descriptions: when the offering one
/// has the answer, and each has a candidate of the other, both get their end of a link. Anything altered on
/// the way and they do not.
class FakePeers {
 public:
  explicit FakePeers(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}

  transport::PeerConnectionFactory factory() {
    return [this](transport::PeerConnectionListener& listener) -> std::unique_ptr<transport::PeerConnection> {
      return std::make_unique<Peer>(*this, listener);
    };
  }

  enum class Fault { none, no_offer, no_answer, bad_answer, no_path, silence, late_host };
  Fault fault = Fault::none;
  int candidates = 2;  ///< From each side.
  /// With `late_host`: now the host has its end too.
  void open_late() {
    if (late_.state) open(late_.state, std::move(late_.link));
    late_ = {};
  }
  int opened = 0;
  int alive = 0;
  int made = 0;  ///< On both sides.

 private:
  class Peer;
  struct State {
    explicit State(transport::PeerConnectionListener& to) : listener(to) {}
    transport::PeerConnectionListener& listener;
    std::string own;  ///< The name in its description.
    std::string far;
    bool offers = false;
    bool heard_candidate = false;
    bool opened = false;
  };

  struct Late {
    std::shared_ptr<State> state;
    std::unique_ptr<transport::Link> link;
  };

  class Peer final : public transport::PeerConnection {
   public:
    Peer(FakePeers& peers, transport::PeerConnectionListener& listener)
        : peers_(peers), state_(std::make_shared<State>(listener)) {
      ++peers_.alive;
      ++peers_.made;
    }
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;
    ~Peer() override { --peers_.alive; }

    Result<std::string> create_offer() override {
      if (peers_.fault == Fault::no_offer) return fail(Errc::io, "no sockets left");
      state_->offers = true;
      return describe();
    }
    Result<std::string> accept_offer(const std::string& sdp) override {
      if (peers_.fault == Fault::no_answer || !sdp.starts_with("sdp "))
        return fail(Errc::malformed, "not a description");
      state_->far = sdp;
      return describe();
    }
    Status set_answer(const std::string& sdp) override {
      if (peers_.fault == Fault::bad_answer || !sdp.starts_with("sdp "))
        return fail(Errc::malformed, "not a description");
      state_->far = sdp;
      peers_.try_to_connect(state_);
      return {};
    }
    Status add_remote_candidate(const std::string& candidate) override {
      if (!candidate.starts_with("candidate:")) return fail(Errc::malformed, "not a candidate");
      state_->heard_candidate = true;
      peers_.try_to_connect(state_);
      return {};
    }
    void end_of_remote_candidates() override {
      if (peers_.fault != Fault::no_path) return;
      later([](transport::PeerConnectionListener& listener) {
        listener.on_failed({.code = Errc::unreachable, .message = "no path"});
      });
    }

   private:
    template <typename Do>
    void later(Do&& action) {
      boost::asio::post(peers_.executor_, [state = std::weak_ptr{state_}, action] {
        if (const auto alive = state.lock()) action(alive->listener);
      });
    }
    std::string describe() {
      state_->own = "sdp " + std::to_string(++peers_.names_);
      peers_.states_[state_->own] = state_;
      for (int i = 0; i < peers_.candidates; ++i) {
        later(
            [](transport::PeerConnectionListener& listener) { listener.on_local_candidate("candidate:1"); });
      }
      later([](transport::PeerConnectionListener& listener) { listener.on_local_candidates_done(); });
      return state_->own;
    }

    FakePeers& peers_;
    std::shared_ptr<State> state_;
  };

  void try_to_connect(const std::shared_ptr<State>& one) {
    if (fault == Fault::no_path || fault == Fault::silence) return;
    const auto other = states_[one->far].lock();
    if (!other || other->far != one->own || !one->heard_candidate || !other->heard_candidate) return;
    if (std::exchange(one->opened, true)) return;
    other->opened = true;
    auto [a, b] = client::testing::PairedLink::make(executor_);
    const bool one_offers = one->offers;
    open(one_offers ? one : other, std::move(a));
    Late host{.state = one_offers ? other : one, .link = std::move(b)};
    if (fault == Fault::late_host) {
      late_ = std::move(host);
    } else {
      open(host.state, std::move(host.link));
    }
  }
  void open(const std::shared_ptr<State>& state, std::unique_ptr<transport::Link> link) {
    boost::asio::post(executor_, [this, weak = std::weak_ptr{state}, link = std::move(link)]() mutable {
      const auto alive_state = weak.lock();
      if (!alive_state) return;
      ++opened;
      alive_state->listener.on_open(std::move(link));
    });
  }

  boost::asio::any_io_executor executor_;
  std::map<std::string, std::weak_ptr<State>> states_;
  int names_ = 0;
  Late late_;
};

}  // namespace sluice::rendezvous::testing
