#pragma once

#include <memory>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "core/time.hpp"

namespace sluice::webrtc {

/// One periodic timer for all associations of a shard, every `limits::kSctpTick` while there are any. Belongs
/// to the shard's execution context, which makes it at the first use.
class Ticker final : public boost::asio::execution_context::service {
 public:
  class Member {
   public:
    virtual ~Member() = default;
    virtual void on_tick(TimePoint now) = 0;  ///< May add and remove members.
  };

  static boost::asio::execution_context::id id;

  static Ticker& of(const boost::asio::any_io_executor& executor);
  explicit Ticker(boost::asio::execution_context& context);

  void add(Member& member, const boost::asio::any_io_executor& executor);
  void remove(Member& member);  ///< Does nothing when it is no member.

 private:
  void shutdown() noexcept override;
  void arm();
  void tick();

  std::vector<Member*> members_;
  std::vector<Member*> round_;  ///< Those whom the tick that runs now still has to call.
  std::unique_ptr<boost::asio::steady_timer> timer_;
  bool armed_ = false;
};

}  // namespace sluice::webrtc
