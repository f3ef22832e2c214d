// What the other side's SDP and candidates go through. Whatever comes in, nothing may crash; what is taken
// must be taken again, unchanged, from what we write ourselves.
#include "transport/webrtc/sdp.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/ensure.hpp"
#include "core/limits.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  (void)sluice::webrtc::parse_candidate(text);
  const auto parsed = sluice::webrtc::parse_sdp(text);
  if (!parsed) return 0;
  for (const auto& candidate : parsed->candidates) (void)sluice::webrtc::parse_candidate(candidate);
  const std::string written = sluice::webrtc::write_sdp(*parsed);
  if (written.size() > sluice::limits::kMaxSdpSize.count())
    return 0;  // CRLF for LF: a little longer than it was
  const auto again = sluice::webrtc::parse_sdp(written);
  ENSURE(again.has_value() && *again == *parsed);
  return 0;
}
