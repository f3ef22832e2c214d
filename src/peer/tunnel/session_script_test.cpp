// One conversation between two sessions, told step by step, and then again with something going wrong at each
// step: the link dies, a socket is reset, one side drains. Whatever happens, it must end with nothing open
// and nothing held.
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "peer/tunnel/recording_ends.hpp"

namespace sluice::tunnel {
namespace {

using Closed = PlayedSocket::Closed;

/// Two sessions whose messages reach each other only when the test carries them over.
class Conversation {
 public:
  Conversation() {
    host.session.start(host.now);
    client.session.start(client.now);
    carry();
  }

  /// Carries messages over, and answers dials, until neither side has anything more to say.
  void carry() {
    for (bool moved = true; moved;) {
      moved = hand_over(client, host);
      moved = hand_over(host, client) || moved;
      for (; dialled_ < host.shell.dials.size(); ++dialled_) {
        host.session.dialed(host.shell.dials[dialled_].id, target.attach(), host.now);
        id = host.shell.dials[dialled_].id;
        moved = true;
      }
    }
  }
  void touch() {
    for (SessionBench* side : {&client, &host}) {
      side->session.on_readable(id, side->now);
      side->session.on_writable(id, side->now);
    }
    carry();
  }

  SessionBench client{Role::client};
  SessionBench host{Role::host};
  PlayedSocket app;
  PlayedSocket target;
  wire::SocketId id{};

 private:
  static bool hand_over(SessionBench& from, SessionBench& to) {
    const auto packets = from.link.take();
    for (const wire::Packet& packet : packets) to.receive(packet);
    from.session.on_link_low(from.now);
    return !packets.empty();
  }
  std::size_t dialled_ = 0;
};

struct Step {
  const char* name;
  std::function<void(Conversation&)> play;
};

/// A request with a half-close, an answer larger than the first window to a slow reader, and the end.
const std::vector<Step>& steps() {
  static const std::vector<Step> all{
      {"open",
       [](Conversation& c) {
         c.id = c.client.open(c.app);
         c.carry();
       }},
      {"request",
       [](Conversation& c) {
         c.app.incoming += "request";
         c.touch();
       }},
      {"half-close",
       [](Conversation& c) {
         c.app.ending = PlayedSocket::End::fin;
         c.touch();
       }},
      {"reader stops", [](Conversation& c) { c.app.takes = 5000; }},
      {"answer",
       [](Conversation& c) {
         c.target.incoming += std::string(100'000, 'a');
         c.touch();
       }},
      {"reader goes on",
       [](Conversation& c) {
         c.app.takes = SIZE_MAX;
         for (int i = 0; i < 50; ++i) c.touch();
       }},
      {"end",
       [](Conversation& c) {
         c.target.ending = PlayedSocket::End::fin;
         c.touch();
         c.touch();
       }},
  };
  return all;
}

TEST(SessionScript, PlaysToItsEnd) {
  Conversation c;
  for (const Step& step : steps()) step.play(c);
  EXPECT_EQ(c.target.outgoing, "request");
  EXPECT_EQ(c.app.outgoing, std::string(100'000, 'a'));
  EXPECT_TRUE(c.app.shut && c.target.shut);
  EXPECT_EQ(c.app.closed, Closed::closed);
  EXPECT_EQ(c.target.closed, Closed::closed);
  EXPECT_EQ(c.client.session.streams() + c.host.session.streams(), 0U);
}

struct Mishap {
  const char* name;
  std::function<void(Conversation&)> befall;
  bool ends_session;
};

void reset(PlayedSocket& socket) {
  socket.ending = PlayedSocket::End::reset;
  socket.incoming.clear();
  socket.write_resets = true;
}

const std::vector<Mishap>& mishaps() {
  static const Error lost{.code = Errc::link_lost, .message = "gone"};
  static const std::vector<Mishap> all{
      {"the link dies",
       [](Conversation& c) {
         c.client.session.on_link_closed(lost, c.client.now);
         c.host.session.on_link_closed(lost, c.host.now);
       },
       true},
      {"the link refuses the client's messages", [](Conversation& c) { c.client.link.broken = true; }, false},
      {"the application resets", [](Conversation& c) { reset(c.app); }, false},
      {"the target resets", [](Conversation& c) { reset(c.target); }, false},
      {"the client is cancelled", [](Conversation& c) { c.client.session.drain(c.client.now, c.client.now); },
       false},
      {"the host is cancelled", [](Conversation& c) { c.host.session.drain(c.host.now, c.host.now); }, false},
      {"the host talks nonsense",
       [](Conversation& c) { c.client.session.on_message(as_bytes("nonsense"), c.client.now); }, false},
  };
  return all;
}

/// What every run must come to, once its link is told that the other side is gone.
void expect_nothing_left(Conversation& c) {
  const Error gone{.code = Errc::closed, .message = "the other side is gone"};
  for (SessionBench* side : {&c.client, &c.host}) {
    side->session.drain(side->now, side->now);
    side->session.on_link_closed(gone, side->now);
    EXPECT_NE(side->session.ended(), nullptr);
    EXPECT_EQ(side->session.next_deadline(), std::nullopt);
    EXPECT_FALSE(side->session.wants_turn());
    const SessionStats stats = side->stats();
    EXPECT_EQ(stats.streams, 0U);
    EXPECT_EQ(stats.totals.held, Bytes{});
    EXPECT_EQ(stats.totals.waiting, 0U);
    EXPECT_EQ(stats.windows.promised, Bytes{});
    EXPECT_EQ(stats.totals.received, stats.totals.delivered + stats.totals.discarded);
    EXPECT_EQ(stats.totals.opened, stats.totals.finished);
    EXPECT_EQ(stats.gate.waiting, 0U);
  }
}

TEST(SessionScript, LeavesNothingOpenWhateverGoesWrongAtWhicheverStep) {
  for (const Mishap& mishap : mishaps()) {
    for (std::size_t at = 0; at <= steps().size(); ++at) {
      SCOPED_TRACE(std::string{mishap.name} +
                   (at < steps().size() ? std::string{" before: "} + steps()[at].name : " at the end"));
      Conversation c;
      bool opened = false;
      for (std::size_t i = 0; i < steps().size(); ++i) {
        if (i == at) {
          mishap.befall(c);
          if (opened) c.touch();
          if (mishap.ends_session) {
            EXPECT_NE(c.client.session.ended(), nullptr);
          }
        }
        if (i == 0 && c.client.session.ended() != nullptr) break;
        steps()[i].play(c);
        opened = true;
      }
      if (at == steps().size()) mishap.befall(c);
      c.touch();
      expect_nothing_left(c);
      if (opened) {
        EXPECT_NE(c.app.closed, Closed::no);
      }
      if (!c.host.shell.dials.empty()) {
        EXPECT_NE(c.target.closed, Closed::no);
      }
      EXPECT_TRUE(std::string(100'000, 'a').starts_with(c.app.outgoing))
          << "what arrives is a prefix of what was sent";
      EXPECT_TRUE(std::string{"request"}.starts_with(c.target.outgoing));
    }
  }
}

}  // namespace
}  // namespace sluice::tunnel
