#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "timeline.hpp"
#include "transport/link.hpp"

namespace sluice::sim {

/// How messages travel: always all of them, for loss is made good beneath a link.
struct LinkPlan {
  std::uint64_t bytes_per_second = 1'000'000;
  Duration delay{};
  Duration
      jitter{};  ///< Up to so much later than `delay`, each message by itself: so they overtake each other.
  unsigned percent_late = 0;  ///< Of the messages come ten delays later: sent again beneath the link.
  unsigned percent_twice = 0;
};

/// One end of a link between two sessions, with a buffer that drains at a rate.
class SimulatedLink final : public transport::Link {
 public:
  SimulatedLink(Timeline& timeline, Dice& dice, LinkPlan plan)
      : timeline_(timeline), dice_(dice), plan_(plan) {}

  static void join(SimulatedLink& a, SimulatedLink& b) {
    a.other_ = &b;
    b.other_ = &a;
  }

  void listen(transport::LinkListener& listener) override { listener_ = &listener; }
  Status send(ByteView message) override;
  [[nodiscard]] Bytes buffered_amount() const override { return buffered_; }
  void set_buffered_amount_low_threshold(Bytes threshold) override { threshold_ = threshold; }
  [[nodiscard]] Bytes max_message_size() const override { return Bytes{256 * 1024}; }
  void close() override;
  [[nodiscard]] transport::LinkStats stats() const override;
  [[nodiscard]] transport::Path path() const override { return {}; }

  /// Both ends are gone, with all that was on its way.
  void die();
  /// Nothing drains from here any more; the other end hears nothing of it.
  void stall() { stalled_ = true; }
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] Bytes buffered_peak() const { return peak_; }

 private:
  void drain();
  void travel(const std::shared_ptr<const ByteBuffer>& message);
  void end(const Error& why);
  void finish_close();

  Timeline& timeline_;
  Dice& dice_;
  LinkPlan plan_;
  SimulatedLink* other_ = nullptr;
  transport::LinkListener* listener_ = nullptr;
  std::deque<std::shared_ptr<const ByteBuffer>> queue_;
  Bytes buffered_;
  Bytes peak_;
  Bytes threshold_;
  std::size_t travelling_ = 0;
  bool draining_ = false;
  bool stalled_ = false;
  bool closing_ = false;
  bool ended_ = false;
  transport::LinkStats stats_;
};

}  // namespace sluice::sim
