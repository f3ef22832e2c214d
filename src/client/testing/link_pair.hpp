#pragma once

#include <deque>
#include <memory>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>

#include "core/limits.hpp"
#include "transport/link.hpp"

/// For tests: no network beneath them.
namespace sluice::client::testing {

/// One end of a pair of links in memory: what is sent here arrives there, in order, in a turn of its own.
class PairedLink final : public transport::Link {
 public:
  static std::pair<std::unique_ptr<Link>, std::unique_ptr<Link>> make(
      const boost::asio::any_io_executor& executor) {
    auto a = std::make_shared<End>(executor);
    auto b = std::make_shared<End>(executor);
    a->far = b;
    b->far = a;
    return {std::unique_ptr<Link>{new PairedLink{std::move(a)}},
            std::unique_ptr<Link>{new PairedLink{std::move(b)}}};
  }

  PairedLink(const PairedLink&) = delete;
  PairedLink& operator=(const PairedLink&) = delete;
  ~PairedLink() override {
    end_->listener = nullptr;
    if (!end_->closed) end_->cut = true;
    if (std::exchange(end_->closed, true)) return;
    end_far({.code = Errc::link_lost, .message = "The other end is gone."});
  }

  void listen(transport::LinkListener& listener) override {
    end_->listener = &listener;
    boost::asio::post(end_->executor, [end = end_] { end->deliver(); });
  }
  Status send(ByteView message) override {
    if (end_->closed) return fail(Errc::closed, "This end is closed.");
    if (message.size() > max_message_size().count())
      return fail(Errc::limit_exceeded, "Too large a message.");
    boost::asio::post(end_->executor, [near = end_, far = end_->far, copy = to_buffer(message)]() mutable {
      if (const auto end = far.lock(); end && !near->cut) end->arrive(std::move(copy));
    });
    return {};
  }
  void close() override {
    if (std::exchange(end_->closed, true)) return;
    const Error reason{.code = Errc::closed, .message = "The link was closed."};
    end_far(reason);
    boost::asio::post(end_->executor, [end = end_, reason] { end->ended(reason); });
  }

  [[nodiscard]] Bytes buffered_amount() const override { return {}; }
  void set_buffered_amount_low_threshold(Bytes) override {}
  [[nodiscard]] Bytes max_message_size() const override { return limits::kMaxMailboxMessage; }
  [[nodiscard]] transport::LinkStats stats() const override { return {}; }
  [[nodiscard]] transport::Path path() const override { return {}; }

 private:
  struct End {
    explicit End(boost::asio::any_io_executor on) : executor(std::move(on)) {}
    void arrive(ByteBuffer message) {
      if (over) return;
      inbox.push_back(std::move(message));
      deliver();
    }
    void ended(const Error& reason) {
      if (std::exchange(over, true)) return;
      closed = true;
      last_word = std::make_unique<Error>(reason);
      deliver();
    }
    void deliver() {
      while (listener != nullptr && !inbox.empty()) {
        const ByteBuffer message = std::move(inbox.front());
        inbox.pop_front();
        listener->on_message(message);
      }
      if (listener != nullptr && last_word) {
        const auto reason = std::move(last_word);
        listener->on_closed(*reason);
      }
    }
    boost::asio::any_io_executor executor;
    std::weak_ptr<End> far;
    transport::LinkListener* listener = nullptr;
    std::deque<ByteBuffer> inbox;
    std::unique_ptr<Error> last_word;
    bool closed = false;  ///< Nothing more may be sent.
    bool cut = false;     ///< Gone without a close: what is on its way is lost.
    bool over = false;    ///< Nothing more arrives.
  };

  explicit PairedLink(std::shared_ptr<End> end) : end_(std::move(end)) {}
  void end_far(const Error& reason) {
    boost::asio::post(end_->executor, [far = end_->far, reason] {
      if (const auto end = far.lock()) end->ended(reason);
    });
  }

  std::shared_ptr<End> end_;
};

}  // namespace sluice::client::testing
