#include "api/admin_json.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <boost/json/array.hpp>

#include "hub/config/fields.hpp"
#include "hub/config/units.hpp"

namespace sluice::api {
namespace {

namespace json = boost::json;
using hub::service::ClientView;
using hub::service::GatewayStatus;
using wire::hub::PressureSample;

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

/// Those that are not 0, by the names of reasons.
template <typename Counts>
json::object reasons_json(const Counts& counts) {
  json::object object;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] != 0) object[wire::hub::name_of(static_cast<wire::hub::Reason>(i))] = counts[i];
  }
  return object;
}

json::object account_json(const flow::AccountStats& account) {
  return {{"heldBytes", account.held.count()},
          {"peakBytes", account.peak.count()},
          {"limitBytes", account.limit.count()},
          {"refused", account.refused}};
}

json::object store_json(const GatewayStatus& status) {
  const hub::store::Books& books = status.store;
  json::object object{{"messages", books.rows},
                      {"appended", books.appended},
                      {"committed", books.committed},
                      {"failed", books.failed},
                      {"waiting", books.waiting},
                      {"refused", books.refused_full + books.refused_broken},
                      {"commits", books.commits},
                      {"balanced", books.balanced()},
                      {"healthy", !status.store_health.failing}};
  if (status.store_health.failing) object["failing"] = status.store_health.failing->message;
  return object;
}

json::object books_json(const GatewayStatus& status) {
  return {{"accepted", status.books.accepted}, {"delivered", status.books.delivered},
          {"gapped", status.books.gapped},     {"expired", status.books.expired},
          {"pending", status.pending},         {"balanced", status.books.balance(status.pending)}};
}

json::object messaging_json(const GatewayStatus& status) {
  return {{"sockets", status.sockets},
          {"connections", status.clients},
          {"welcomed", status.welcomed},
          {"slow", status.slow},
          {"users", status.users},
          {"conversations", status.conversations},
          {"publishesAccepted", status.counts.accepted},
          {"refused", reasons_json(status.counts.refused)},
          {"ended", reasons_json(status.counts.ended)},
          {"dropped", status.totals.dropped},
          {"wouldDrop", status.totals.would_drop},
          {"wouldCut", status.totals.would_cut},
          {"shedBytes", status.counts.shed.count()},
          {"bytesSent", status.totals.sent.count()},
          {"bytesReceived", status.totals.received.count()},
          {"books", books_json(status)},
          {"memory", account_json(status.memory)},
          {"fanoutBacklog", account_json(status.backlog)},
          {"admission",
           {{"admitted", status.turnstile.admitted},
            {"sentAway", status.turnstile.sent_away},
            {"resumesSentAway", status.turnstile.resumes_sent_away}}},
          {"store", store_json(status)},
          {"epoch", status.epoch}};
}

json::object process_json(const ProcessFigures& process) {
  json::object object;
  if (process.resident) object["residentBytes"] = process.resident->count();
  if (process.open_descriptors) object["openDescriptors"] = *process.open_descriptors;
  if (process.max_descriptors) object["maxDescriptors"] = *process.max_descriptors;
  if (process.cpu_seconds) object["cpuSeconds"] = *process.cpu_seconds;
  return object;
}

json::object sample_json(const PressureSample& sample) {
  return {{"atMs", sample.at},
          {"bytesWaiting", sample.waiting.count()},
          {"bytesUnacknowledged", sample.unacknowledged.count()},
          {"oldestMs", sample.oldest_ms},
          {"writable", sample.writable}};
}

json::array history_json(const std::vector<PressureSample>& history) {
  json::array samples;
  for (const PressureSample& sample : history) samples.push_back(sample_json(sample));
  return samples;
}

/// A setting's value: sizes and times as they are written, everything else as JSON has it.
struct ValueWriter {
  json::value operator()(const bool* value) const { return *value; }
  json::value operator()(const std::uint64_t* value) const { return *value; }
  json::value operator()(const Bytes* value) const { return json::string{hub::config::to_text(*value)}; }
  json::value operator()(const hub::config::ByteCount& value) const {
    return json::string{hub::config::to_text(Bytes{*value.count})};
  }
  json::value operator()(const Duration* value) const { return json::string{hub::config::to_text(*value)}; }
  json::value operator()(const std::string* value) const { return json::string{*value}; }
  json::value operator()(const std::filesystem::path* value) const { return json::string{value->string()}; }
  json::value operator()(const std::vector<std::string>* value) const {
    return json::array(value->begin(), value->end());
  }
  json::value operator()(const hub::config::Choice& value) const {
    return json::string{value.words[value.get()]};
  }
};

std::string_view name_of(flow::DropPolicy policy) {
  switch (policy) {
    case flow::DropPolicy::newest:
      return "newest";
    case flow::DropPolicy::oldest:
      return "oldest";
    case flow::DropPolicy::conflate:
      return "conflate";
  }
  return "unknown";
}

json::object route_json(const hub::config::WrittenRoute& written) {
  const hub::Route& route = written.route;
  const bool critical = route.urgency == flow::Urgency::critical;
  json::object object{
      {"match", route.match}, {"class", critical ? "critical" : "normal"}, {"stored", route.stored}};
  if (!critical) object["policy"] = name_of(route.policy);
  if (route.ttl) object["ttl"] = hub::config::to_text(*route.ttl);
  if (written.max_age) object["max_age"] = hub::config::to_text(*written.max_age);
  if (written.max_messages) object["max_messages"] = *written.max_messages;
  if (written.max_bytes) object["max_bytes"] = hub::config::to_text(*written.max_bytes);
  return object;
}

}  // namespace

json::object status_json(const HubFigures& figures) {
  json::object object{{"version", figures.version},
                      {"connections", figures.server.connections},
                      {"mailboxes",
                       {{"open", figures.mailboxes.mailboxes},
                        {"connections", figures.mailboxes.connections},
                        {"introductions", figures.mailboxes.introductions}}},
                      {"unauthorized", figures.unauthorized},
                      {"process", process_json(figures.process)}};
  if (figures.messaging) object["messaging"] = messaging_json(*figures.messaging);
  return object;
}

json::object client_json(const ClientView& view, flow::Watermarks marks) {
  json::object pressure = sample_json(view.pressure);
  pressure["bytesBeforeUnwritable"] = (marks.high - view.pressure.waiting).count();
  pressure["bytesBeforeWritable"] = (view.pressure.waiting - marks.low).count();
  return {{"id", connection_id(view.ref)},
          {"user", view.user},
          {"session", view.session},
          {"agent", view.agent},
          {"device", view.device},
          {"remote", view.remote},
          {"encoding", view.encoding == wire::hub::Encoding::json ? "json" : "proto"},
          {"welcomed", view.welcomed},
          {"acknowledges", view.acknowledges},
          {"ageSeconds", seconds(view.age)},
          {"groups", view.groups},
          {"bytesSent", view.socket.sent.count()},
          {"bytesReceived", view.socket.received.count()},
          {"messagesReceived", view.socket.messages_received},
          {"pressure", std::move(pressure)}};
}

json::object client_with_history_json(const ClientView& view, flow::Watermarks marks) {
  json::object object = client_json(view, marks);
  object["history"] = history_json(view.history);
  return object;
}

json::object ended_json(const wire::hub::Ended& ended) {
  return {{"reason", wire::hub::name_of(ended.reason)},
          {"atMs", ended.at},
          {"bytesWaiting", ended.waiting.count()},
          {"oldestMs", ended.oldest_ms},
          {"history", history_json(ended.history)}};
}

json::object settings_json(hub::config::Settings settings) {
  json::object keys;
  for (const hub::config::Field& field : hub::config::fields_of(settings)) {
    const bool live = field.applies == hub::config::Applies::live;
    keys[field.key()] = {{"value", std::visit(ValueWriter{}, field.value)},
                         {"applies", live ? "live" : "restart"}};
  }
  json::array routes;
  for (const hub::config::WrittenRoute& route : settings.routes) routes.push_back(route_json(route));
  return {{"settings", std::move(keys)}, {"routes", std::move(routes)}};
}

}  // namespace sluice::api
