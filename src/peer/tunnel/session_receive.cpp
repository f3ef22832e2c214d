// How a session receives: HELLO, then each packet to its stream, or to nobody.
#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "peer/tunnel/session.hpp"

namespace sluice::tunnel {

void Session::on_message(ByteView message, TimePoint now) {
  if (ended_ || link_end_) return ignore(wire::kSession, Ignored::after_end);
  const auto packet = wire::decode(message);
  if (!packet) return end(packet.error(), now);
  receive(*packet, message, now);
  send(now);
}

void Session::receive(const wire::Packet& packet, ByteView message, TimePoint now) {
  if (const auto* hello = std::get_if<wire::Hello>(&packet)) return receive_hello(*hello, now);
  if (!ready()) {
    return end({.code = Errc::protocol_violation, .message = "the peer sent a packet before its HELLO"}, now);
  }
  if (const auto* window = std::get_if<wire::Window>(&packet)) return receive_window(*window, now);
  receive_numbered(packet, message, now);
}

void Session::receive_hello(const wire::Hello& hello, TimePoint now) {
  if (peer_) {
    if (*peer_ == hello) return ignore(wire::kSession, Ignored::duplicate);
    return end({.code = Errc::protocol_violation, .message = "the peer sent a second HELLO"}, now);
  }
  peer_ = hello;
  const Bytes message = link_.max_message_size() - Bytes{wire::kHeaderSize};
  payload_ = std::min({options_.payload, Bytes{hello.largest_payload}, limits::kMaxPayload, message});
  if (payload_ == Bytes{}) {
    return end({.code = Errc::unsupported, .message = "the link takes no message that could carry data"},
               now);
  }
  data_.resize(wire::kHeaderSize + payload_.count());
  owes_hello_ = role_ == Role::host;
}

void Session::receive_window(const wire::Window& window, TimePoint now) {
  const auto found = streams_.find(window.socket);
  if (found == streams_.end()) {
    return ignore(window.socket,
                  closed_.contains(window.socket) ? Ignored::closed_socket : Ignored::unknown_socket);
  }
  Entry& entry = found->second;
  if (auto taken = entry.stream.receive_window(window.total, now); !taken) return end(taken.error(), now);
  settle(entry, now);
}

void Session::receive_numbered(const wire::Packet& packet, ByteView message, TimePoint now) {
  const bool wrong_side = role_ == Role::host ? std::holds_alternative<wire::Accept>(packet)
                                              : std::holds_alternative<wire::Connect>(packet);
  if (wrong_side) {
    return end({.code = Errc::protocol_violation,
                .message = std::string{name_of(wire::type_of(packet))} + " came from the wrong side"},
               now);
  }
  const auto found = streams_.find(wire::socket_of(packet));
  Entry* entry = found != streams_.end() ? &found->second : admit(packet, now);
  if (entry == nullptr) return;
  if (auto taken = entry->stream.receive(packet, message, now); !taken) return end(taken.error(), now);
  if (totals_.waiting > limits::kMaxEarlyPackets) {
    return end({.code = Errc::limit_exceeded,
                .message = "the peer sent too many packets ahead of ones that are missing"},
               now);
  }
  if (const auto target = entry->stream.take_request()) answer_request(*entry, *target);
  if (const auto charged = charge_early_packets(); !charged) {
    // Loss makes packets early and memory is short through others, so it costs this stream alone.
    entry->stream.close(
        wire::CloseReason::limit_reached,
        (role_ == Role::host ? "this host has " : "this client has ") + charged.error().message);
    (void)charge_early_packets();  // it shrinks: the stream has forgotten its packets
  }
  settle(*entry, now);
}

/// Their payload is within the windows; that of many small ones is the least of what they cost.
Status Session::charge_early_packets() {
  return budget_.set_overhead(limits::kEarlyPacketMemory * totals_.waiting);
}

/// A place for a packet whose socket has none: on the host the first packet of a new one, else nothing.
Session::Entry* Session::admit(const wire::Packet& packet, TimePoint now) {
  const wire::SocketId id = wire::socket_of(packet);
  if (closed_.contains(id)) {
    ignore(id, Ignored::closed_socket);
    return nullptr;
  }
  if (role_ == Role::client) {
    ignore(id, Ignored::unknown_socket);
    return nullptr;
  }
  if (drain_until_) {
    refuse(id, wire::CloseReason::shutting_down, "this host is shutting down", now);
    return nullptr;
  }
  auto window = take_place(now);
  if (!window) {
    refuse(id, wire::CloseReason::limit_reached, "this host has " + window.error().message, now);
    return nullptr;
  }
  return &place(streams_.try_emplace(id, options_for(id), std::move(*window), totals_).first->second);
}

void Session::refuse(wire::SocketId id, wire::CloseReason reason, std::string text, TimePoint now) {
  if (refusals_.size() >= limits::kMaxRefusals) {
    return end({.code = Errc::limit_exceeded,
                .message = "the peer opens connections faster than it hears that they are refused"},
               now);
  }
  ++refused_;
  closed_.add(id);
  shell_.on_refused(reason, text);
  refusals_.push_back({.id = id, .reason = reason, .text = std::move(text)});
}

void Session::answer_request(Entry& entry, const std::string& target) {
  const auto found = targets_.find(target);
  if (found) {
    entry.dialing = true;
    entry.target = target;
    shell_.dial(entry.stream.id(), **found);
  } else {
    entry.stream.close(found.error().reason, found.error().text);
  }
}

void Session::ignore(wire::SocketId id, Ignored why) {
  totals_.ignore(why);
  shell_.on_ignored(id, why);
}

}  // namespace sluice::tunnel
