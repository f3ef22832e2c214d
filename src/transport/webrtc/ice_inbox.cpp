#include "transport/webrtc/ice_inbox.hpp"

#include <utility>

#include <boost/asio/post.hpp>

#include "core/limits.hpp"

namespace sluice::webrtc {

void IceNews::clear() {
  events.clear();
  bytes.clear();
  sizes.clear();
}

IceInbox::IceInbox(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}

void IceInbox::open(std::function<void()> take) {
  const std::scoped_lock lock{mutex_};
  take_ = std::move(take);
}

void IceInbox::put(IceEvent event) {
  const std::scoped_lock lock{mutex_};
  if (closed_) return;
  if (news_.events.size() >= limits::kIceEvents) {
    ++dropped_;
    return;
  }
  news_.events.push_back(std::move(event));
  wake_shard();
}

void IceInbox::put_datagram(ByteView datagram) {
  const std::scoped_lock lock{mutex_};
  if (closed_) return;
  if (news_.bytes.size() + datagram.size() > limits::kIceInbox.count()) {
    ++dropped_;
    return;
  }
  news_.bytes.insert(news_.bytes.end(), datagram.begin(), datagram.end());
  news_.sizes.push_back(static_cast<std::uint32_t>(datagram.size()));
  wake_shard();
}

/// With the mutex held, so that no post is under way once `close` has returned.
void IceInbox::wake_shard() {
  if (!std::exchange(posted_, true)) boost::asio::post(executor_, take_);
}

std::uint64_t IceInbox::dropped() const {
  const std::scoped_lock lock{mutex_};
  return dropped_;
}

void IceInbox::swap(IceNews& news) {
  const std::scoped_lock lock{mutex_};
  posted_ = false;
  std::swap(news_, news);
}

void IceInbox::close() {
  const std::scoped_lock lock{mutex_};
  closed_ = true;
  news_ = {};
  take_ = nullptr;
  executor_ = {};
}

}  // namespace sluice::webrtc
