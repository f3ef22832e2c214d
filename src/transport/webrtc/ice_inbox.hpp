#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "core/bytes.hpp"
#include "transport/link.hpp"
#include "transport/webrtc/selected_socket.hpp"

namespace sluice::webrtc {

/// What the ICE library has to tell the shard, besides datagrams.
struct IceEvent {
  enum class Kind : std::uint8_t { candidate, candidates_done, path, connected, failed };
  Kind kind;
  std::string candidate{};
  transport::Path path{};
  std::optional<SelectedSocket> socket{};  ///< Of the path, where it can be shared.
};

/// What has come since the last look; `bytes` and `sizes` hold the datagrams one after the other.
struct IceNews {
  std::vector<IceEvent> events;
  ByteBuffer bytes;
  std::vector<std::uint32_t> sizes;

  void clear();
};

/// Carries news from whatever thread the ICE library speaks on to one shard: one post from empty to not
/// empty.
///
/// Bounded by `limits::kIceInbox` and `limits::kIceEvents`; what is beyond is dropped and counted. After
/// `close` nothing is posted any more, so the shard may end then.
class IceInbox {
 public:
  explicit IceInbox(boost::asio::any_io_executor executor);

  /// Before the first `put`: `take` runs on the shard, each time that something has come, and calls `swap`.
  /// Copies of it may still run after `close`: it holds weakly what it needs.
  void open(std::function<void()> take);

  // Any thread.
  void put(IceEvent event);
  void put_datagram(ByteView datagram);
  [[nodiscard]] std::uint64_t dropped() const;

  // The shard. `swap` gives what has come and takes an empty one, with its memory, in exchange.
  void swap(IceNews& news);
  void close();

 private:
  void wake_shard();

  mutable std::mutex mutex_;
  boost::asio::any_io_executor executor_;
  std::function<void()> take_;
  IceNews news_;
  bool posted_ = false;
  bool closed_ = false;
  std::uint64_t dropped_ = 0;
};

}  // namespace sluice::webrtc
