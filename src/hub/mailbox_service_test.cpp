#include "hub/mailbox_service.hpp"

#include <cstddef>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace sluice::hub {
namespace {

/// Takes everything, and says nothing.
class SilentLink final : public transport::Link {
 public:
  void listen(transport::LinkListener&) override {}
  Status send(ByteView) override { return {}; }
  [[nodiscard]] Bytes buffered_amount() const override { return {}; }
  void set_buffered_amount_low_threshold(Bytes) override {}
  [[nodiscard]] Bytes max_message_size() const override { return Bytes{1'000}; }
  void close() override {}
  [[nodiscard]] transport::LinkStats stats() const override { return {}; }
  [[nodiscard]] transport::Path path() const override { return {}; }
};

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(MailboxService, LogsTheRejectionsOfAWholeIpv6NetworkOnce) {
  boost::asio::io_context shard;
  MailboxService service{
      shard.get_executor(), {.limits = {.waiters = 1}}, [](std::uint32_t bound) { return 6 % bound; }};
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 10; ++i) {
    service.accept({.link = std::make_unique<SilentLink>(),
                    .remote_address = "2001:db8:1:" + std::to_string(i) + "::1"});
  }
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(service.mailboxes().denied(Denial::gave_way), 9U);
  EXPECT_EQ(count(log, "rejected mailbox requests from "), 1U) << log;
  EXPECT_EQ(count(log, "rejected mailbox requests from 2001:db8:1::/48: "), 1U) << log;
}

}  // namespace
}  // namespace sluice::hub
