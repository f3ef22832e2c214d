#include "hub/service/envelopes.hpp"

#include <memory>
#include <utility>

#include "transport/websocket/frame.hpp"
#include "wire/hub/codec.hpp"

namespace sluice::hub::service {

SharedFrames Envelopes::encode(const std::vector<wire::hub::FromHub>& messages,
                               wire::hub::Encoding encoding) {
  envelopes_.clear();
  std::vector<std::size_t> ends;
  ends.reserve(messages.size());
  for (const wire::hub::FromHub& message : messages) {
    wire::hub::append(envelopes_, encoding, message);
    ends.push_back(envelopes_.size());
  }
  std::vector<ByteView> views;
  views.reserve(ends.size());
  std::size_t begin = 0;
  for (const std::size_t end : ends) {
    views.push_back(ByteView{envelopes_}.subspan(begin, end - begin));
    begin = end;
  }
  const auto kind =
      encoding == wire::hub::Encoding::json ? transport::MessageKind::text : transport::MessageKind::binary;
  return std::make_shared<const Frames>(websocket::encode_frames(kind, views));
}

}  // namespace sluice::hub::service
