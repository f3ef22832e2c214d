#pragma once

#include <vector>

#include "core/bytes.hpp"
#include "core/frames.hpp"
#include "wire/hub/encoding.hpp"
#include "wire/hub/message.hpp"

namespace sluice::hub::service {

/// Messages of the hub as WebSocket frames, one each, as every receiver of that encoding gets them.
///
/// One shard. Keeps its buffer between calls.
class Envelopes {
 public:
  [[nodiscard]] SharedFrames encode(const std::vector<wire::hub::FromHub>& messages,
                                    wire::hub::Encoding encoding);

 private:
  ByteBuffer envelopes_;
};

}  // namespace sluice::hub::service
