#include "hub/service/stored_log.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "hub/gateway/shard.hpp"

namespace sluice::hub::service {

using wire::hub::Conversation;
using wire::hub::Position;

Result<Position> StoredLog::head(const Conversation& of) {
  return reader_.head(of);
}

Result<std::vector<Position>> StoredLog::history(const Conversation& of) {
  return reader_.history(of);
}

Result<LogPage> StoredLog::page(const Conversation& of, Position after, PageLimits limits) {
  auto read = reader_.page(of, {.after = after}, {.messages = limits.messages, .bytes = limits.bytes});
  if (!read) return fail(std::move(read.error()));
  LogPage page{.damaged = std::move(read->damaged), .first = read->first, .more = read->more};
  page.messages.reserve(read->messages.size());
  for (store::StoredMessage& message : read->messages) {
    page.messages.push_back(
        {.delivery = std::move(message.delivery), .expires_at = by_system(message.expires_at)});
  }
  return page;
}

Status StoredLog::append(SharedMessage message, std::uint64_t ticket) {
  const wire::hub::UnixMs expires_at = by_store(message->expires_at);
  const store::IdPrint print{.message = message->print.message,
                             .sender = message->print.sender,
                             .conversation = Shard::conversation_hash(message->delivery.to)};
  const wire::hub::Delivery* const delivery = &message->delivery;
  return store_.append({.shard = shard_,
                        .ticket = ticket,
                        .message = std::shared_ptr<const wire::hub::Delivery>{std::move(message), delivery},
                        .expires_at = expires_at,
                        .print = print});
}

wire::hub::UnixMs StoredLog::by_store(wire::hub::UnixMs system) const {
  return system == 0 ? 0 : std::max<wire::hub::UnixMs>(1, system - store::system_time() + store_.time());
}

wire::hub::UnixMs StoredLog::by_system(wire::hub::UnixMs store) const {
  return store == 0 ? 0 : std::max<wire::hub::UnixMs>(1, store - store_.time() + store::system_time());
}

void StoredLog::acknowledge(const Conversation& inbox, const std::string& device, Position up_to) {
  store_.acknowledge(inbox, up_to, device);
}

Result<Position> StoredLog::acknowledged(const Conversation& inbox, const std::string& device) {
  return reader_.acknowledged(inbox, device);
}

}  // namespace sluice::hub::service
