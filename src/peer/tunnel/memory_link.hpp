#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>

#include "transport/link.hpp"

namespace sluice::tunnel {

/// Two ends of a link inside one process, for tests and measurements: messages travel in batches, one post
/// each.
class MemoryLink final : public transport::Link {
 public:
  struct Pair {
    std::unique_ptr<MemoryLink> first;
    std::unique_ptr<MemoryLink> second;
  };
  static Pair make(const boost::asio::any_io_executor& executor) {
    Pair pair{.first = std::make_unique<MemoryLink>(executor),
              .second = std::make_unique<MemoryLink>(executor)};
    pair.first->other_ = pair.second->self_;
    pair.second->other_ = pair.first->self_;
    return pair;
  }

  explicit MemoryLink(boost::asio::any_io_executor executor)
      : executor_(std::move(executor)), self_(std::make_shared<MemoryLink*>(this)) {}
  ~MemoryLink() override { *self_ = nullptr; }

  void listen(transport::LinkListener& listener) override {
    listener_ = &listener;
    if (*other_ != nullptr) (*other_)->deliver_later();
  }
  Status send(ByteView message) override {
    if (ended_ || closing_) return fail(Errc::closed, "the memory link is closed");
    if (free_.empty()) {
      queue_.emplace_back(message.begin(), message.end());
    } else {
      queue_.push_back(std::move(free_.back()));
      free_.pop_back();
      queue_.back().assign(message.begin(), message.end());
    }
    buffered_ += size_of(message);
    ++stats_.messages_sent;
    deliver_later();
    return {};
  }
  [[nodiscard]] Bytes buffered_amount() const override { return buffered_; }
  void set_buffered_amount_low_threshold(Bytes threshold) override { threshold_ = threshold; }
  [[nodiscard]] Bytes max_message_size() const override { return Bytes{256 * 1024}; }
  void close() override {
    closing_ = true;
    deliver_later();
  }
  [[nodiscard]] transport::LinkStats stats() const override { return stats_; }
  [[nodiscard]] transport::Path path() const override { return {}; }

  /// Both ends are gone at once.
  void die() {
    const Error lost{.code = Errc::link_lost, .message = "the memory link was cut"};
    end(lost);
    if (*other_ != nullptr) (*other_)->end(lost);
  }
  /// While it is held nothing leaves this end.
  void hold() { held_ = true; }
  void release() {
    held_ = false;
    deliver_later();
  }

 private:
  static constexpr int kBatch = 16;

  void deliver_later() {
    if (std::exchange(posted_, true)) return;
    boost::asio::post(executor_, [self = std::weak_ptr{self_}] {
      if (const auto link = self.lock(); link && *link != nullptr) (*link)->deliver();
    });
  }

  void deliver() {
    posted_ = false;
    if (ended_ || held_) return;
    const auto self = self_;
    const auto other = other_;
    for (int i = 0; i < kBatch && !queue_.empty(); ++i) {
      if (*other == nullptr || (*other)->listener_ == nullptr) break;
      ByteBuffer message = std::move(queue_.front());
      queue_.pop_front();
      (*other)->listener_->on_message(message);
      if (*self == nullptr || ended_) return;
      const bool was_above = buffered_ > threshold_;
      buffered_ -= Bytes{message.size()};
      free_.push_back(std::move(message));
      if (was_above && buffered_ <= threshold_ && listener_ != nullptr) listener_->on_buffered_amount_low();
      if (*self == nullptr || ended_) return;
    }
    if (!queue_.empty() && *other != nullptr && (*other)->listener_ != nullptr) return deliver_later();
    if (!closing_ || !queue_.empty()) return;
    end({.code = Errc::closed, .message = "closed by this side"});
    if (*other != nullptr) (*other)->end({.code = Errc::closed, .message = "closed by the other side"});
  }

  void end(const Error& why) {
    if (std::exchange(ended_, true)) return;
    queue_.clear();
    buffered_ = {};
    if (listener_ != nullptr) listener_->on_closed(why);
  }

  boost::asio::any_io_executor executor_;
  std::shared_ptr<MemoryLink*> self_;  // emptied by the destructor
  std::shared_ptr<MemoryLink*> other_;
  transport::LinkListener* listener_ = nullptr;
  std::deque<ByteBuffer> queue_;
  std::deque<ByteBuffer> free_;
  Bytes buffered_;
  Bytes threshold_;
  bool posted_ = false;
  bool held_ = false;
  bool closing_ = false;
  bool ended_ = false;
  transport::LinkStats stats_;
};

}  // namespace sluice::tunnel
