#include "hub/config/fields.hpp"

#include <chrono>
#include <utility>

#include "flow/token_bucket.hpp"

namespace sluice::hub::config {
namespace {

using namespace literals;
using namespace std::chrono_literals;

// What makes sense of a figure. The upper ones only catch a slip of the pen: a unit that is wrong.
constexpr std::int64_t kMany = 1'000'000;
constexpr Bytes kHuge = Bytes{std::uint64_t{1} << 40};
constexpr Duration kForever = std::chrono::hours{24 * 365 * 10};

constexpr std::int64_t count(Bytes bytes) {
  return static_cast<std::int64_t>(bytes.count());
}
constexpr std::int64_t count(Duration duration) {
  return std::chrono::nanoseconds{duration}.count();
}

/// Adds the keys of one section.
class Section {
 public:
  Section(std::vector<Field>& fields, std::string_view name) : fields_(fields), name_(name) {}

  Section& live(std::string_view name, Field::Value value) {
    return add(name, std::move(value), Applies::live);
  }
  Section& restart(std::string_view name, Field::Value value) {
    return add(name, std::move(value), Applies::restart);
  }
  /// Bounds of the one that was added last, both included.
  Section& from(Bytes least, Bytes most) { return bounds(count(least), count(most)); }
  Section& from(Duration least, Duration most) { return bounds(count(least), count(most)); }
  Section& from(std::int64_t least, std::int64_t most) { return bounds(least, most); }

 private:
  Section& add(std::string_view name, Field::Value value, Applies applies) {
    fields_.push_back({.section = name_, .name = name, .value = std::move(value), .applies = applies});
    return *this;
  }
  Section& bounds(std::int64_t least, std::int64_t most) {
    fields_.back().least = least;
    fields_.back().most = most;
    return *this;
  }

  std::vector<Field>& fields_;
  std::string_view name_;
};

void add_listen(std::vector<Field>& all, Listen& listen) {
  Section{all, "listen"}
      .restart("addresses", &listen.addresses)
      .from(1, static_cast<std::int64_t>(limits::kMaxListeners))
      .restart("tls_cert", &listen.tls_cert)
      .restart("tls_key", &listen.tls_key)
      .restart("dev_cert", &listen.dev_cert)
      .restart("plain", &listen.plain)
      .restart("trusted_proxies", &listen.trusted_proxies)
      .restart("forwarding",
               choice<transport::Forwarding>(listen.forwarding,
                                             {{"x-forwarded-for", transport::Forwarding::x_forwarded_for},
                                              {"forwarded", transport::Forwarding::forwarded},
                                              {"proxy-protocol", transport::Forwarding::proxy_protocol}}))
      .restart("max_connections", &listen.max_connections)
      .from(1, kMany)
      .live("hosts", &listen.hosts);
}

void add_auth(std::vector<Field>& all, Auth& auth, GatewaySettings& gateway) {
  Section{all, "auth"}
      .restart("open", &auth.open)
      .live("audience", &auth.verifier.claims.audience)
      .live("issuer", &auth.verifier.claims.issuer)
      .live("close_expired_after", &gateway.close_expired_after)
      .from(-kForever, kForever)
      .live("origins", &auth.origins);
}

void add_backpressure(std::vector<Field>& all, ReceiverLimits& receiver) {
  Section{all, "backpressure"}
      .live("enabled", &receiver.enabled)
      .live("dry_run", &receiver.dry_run)
      .live("write_buffer_low_water_mark", &receiver.outbox.marks.low)
      .from(0_B, kHuge)
      .live("write_buffer_high_water_mark", &receiver.outbox.marks.high)
      .from(1_KiB, kHuge)
      .live("write_buffer_limit", &receiver.outbox.hard)
      .from(limits::kMaxEnvelope, kHuge)
      .live("drop_when_unwritable", &receiver.outbox.drop_when_unwritable)
      .live("close_unwritable_after", &receiver.close_unwritable_after)
      .from(-kForever, kForever)
      .live("ack_window_enabled", &receiver.window_enabled)
      .live("ack_window", &receiver.window)
      .from(1_KiB, kHuge);
}

void add_rates(std::vector<Field>& all, std::string_view name, Rates& rates) {
  constexpr auto kLargest = static_cast<std::int64_t>(flow::TokenRate::kLargest);
  // Below one envelope a client that may speak could never say the largest.
  constexpr std::int64_t kEnvelope = count(limits::kMaxEnvelope);
  Section{all, name}
      .live("messages_per_second", &rates.messages.tokens)
      .from(1, kLargest)
      .live("message_burst", &rates.messages.burst)
      .from(1, kLargest)
      .live("bytes_per_second", ByteCount{&rates.bytes.tokens})
      .from(1, kLargest)
      .live("byte_burst", ByteCount{&rates.bytes.burst})
      .from(kEnvelope, kLargest);
}

void add_most(std::vector<Field>& all, Most& most) {
  constexpr auto kLargest = static_cast<std::int64_t>(flow::TokenRate::kLargest);
  Section{all, "limits"}
      .live("messages_per_second", &most.rates.messages.tokens)
      .from(1, kLargest)
      .live("message_burst", &most.rates.messages.burst)
      .from(1, kLargest)
      .live("bytes_per_second", ByteCount{&most.rates.bytes.tokens})
      .from(1, kLargest)
      .live("byte_burst", ByteCount{&most.rates.bytes.burst})
      .from(count(limits::kMaxEnvelope), kLargest)
      .live("connections", &most.connections)
      .from(1, kMany)
      .live("unanswered", &most.unanswered)
      .from(1, kMany);
}

void add_admission(std::vector<Field>& all, Admission& admission) {
  Section{all, "admission"}
      .live("enabled", &admission.enabled)
      .live("max_handshakes", &admission.handshakes)
      .from(1, kMany)
      .live("max_unauthenticated", &admission.unauthenticated)
      .from(3, kMany)
      .live("request_timeout", &admission.request_timeout)
      .from(Duration{100ms}, Duration{10min})
      .live("shortest_timeout", &admission.shortest_timeout)
      .from(Duration{100ms}, Duration{10min})
      .live("per_address", &admission.per_address)
      .from(1, kMany)
      .live("per_network", &admission.per_network)
      .from(1, kMany)
      .live("connections_per_second", &admission.connections_per_second)
      .from(1, kMany)
      .live("connection_burst", &admission.connection_burst)
      .from(1, kMany)
      .live("retry_after_min", &admission.retry_after_min)
      .from(Duration{1s}, Duration{1h})
      .live("retry_after_max", &admission.retry_after_max)
      .from(Duration{1s}, Duration{1h});
}

void add_mailboxes(std::vector<Field>& all, MailboxFigures& mailboxes) {
  const Duration shortest{100ms};
  const Duration longest{24h};
  Section{all, "mailboxes"}
      .live("max_mailboxes", &mailboxes.mailboxes)
      .from(1, kMany)
      .live("per_address", &mailboxes.per_address)
      .from(1, kMany)
      .live("max_waiting", &mailboxes.waiters)
      .from(1, kMany)
      .live("life", &mailboxes.life)
      .from(Duration{1s}, longest)
      .live("introduction", &mailboxes.introduction)
      .from(shortest, longest)
      .live("first_message", &mailboxes.first_message)
      .from(shortest, longest)
      .live("silence", &mailboxes.silence)
      .from(shortest, longest)
      .live("try_burst", &mailboxes.try_burst)
      .from(1, 10'000)
      .live("try_interval", &mailboxes.try_interval)
      .from(Duration{1ms}, longest);
}

void add_session(std::vector<Field>& all, GatewaySettings& gateway) {
  Section{all, "session"}
      .live("hello_timeout", &gateway.hello_timeout)
      .from(Duration{1s}, Duration{10min})
      .live("resume_window", &gateway.resume_window)
      .from(Duration{0s}, kForever)
      .live("max_connections_per_user", &gateway.connections_per_user)
      .from(1, kMany)
      .live("max_groups", &gateway.groups_per_connection)
      .from(1,
            static_cast<std::int64_t>(limits::kMaxPositions) - 1)  // a Resume names them all, and the inbox
      .live("max_requests", &gateway.requests_per_connection)
      .from(1, kMany);
}

void add_store(std::vector<Field>& all, Store& store) {
  Section{all, "store"}
      .live("enabled", &store.enabled)
      .restart("folder", &store.folder)
      .live("bound", &store.bound)
      .from(limits::kMinStoreBytes, kHuge)
      .live("max_age", &store.kept.max_age)
      .from(Duration{1s}, kForever)
      .live("max_messages", &store.kept.max_messages)
      .from(1, std::int64_t{1} << 40)
      .live("max_bytes", &store.kept.max_bytes)
      .from(1_KiB, kHuge);
}

void add_log(std::vector<Field>& all, observe::LogConfig& log) {
  using observe::LogLevel;
  using Format = observe::LogConfig::Format;
  Section{all, "log"}
      .live("level", choice<LogLevel>(log.level, {{"trace", LogLevel::trace},
                                                  {"debug", LogLevel::debug},
                                                  {"info", LogLevel::info},
                                                  {"warn", LogLevel::warn},
                                                  {"error", LogLevel::error},
                                                  {"off", LogLevel::off}}))
      .live("format", choice<Format>(log.format, {{"text", Format::text}, {"json", Format::json}}));
}

}  // namespace

std::vector<Field> fields_of(Settings& settings) {
  std::vector<Field> all;
  GatewaySettings& gateway = settings.gateway;
  add_listen(all, settings.listen);
  add_auth(all, settings.auth, gateway);
  add_backpressure(all, gateway.receiver);
  Section{all, "classes"}.live("enabled", &settings.classes_enabled);
  Section{all, "rates"}.live("enabled", &gateway.rates_enabled);
  add_rates(all, "rates.connection", gateway.per_connection);
  add_rates(all, "rates.user", gateway.per_user);
  add_most(all, gateway.most);
  add_admission(all, settings.admission);
  add_mailboxes(all, settings.mailboxes);
  Section{all, "memory"}
      .live("enabled", &gateway.memory_enabled)
      .live("limit", &gateway.memory)
      .from(1_MiB, kHuge)
      .live("user_limit", &gateway.user_memory)
      .from(limits::kMaxEnvelope, kHuge);
  Section{all, "fanout"}
      .live("tick", &gateway.tick)
      .from(Duration{0s}, Duration{1s})
      .live("slice", &gateway.fanout_slice)
      .from(1, kMany);
  Section{all, "presence"}.live("grace", &gateway.presence_grace).from(Duration{0s}, Duration{1h});
  Section{all, "heartbeat"}
      .live("interval", &gateway.heartbeat)
      .from(Duration{1s}, Duration{1h})
      .live("misses", &settings.heartbeat.misses)
      .from(1, 100);
  add_session(all, gateway);
  Section{all, "names"}.live("allow_invisible", &gateway.invisible_names);
  add_store(all, settings.store);
  Section{all, "admin"}.live("token_file", &settings.admin.token_file);
  Section{all, "metrics"}
      .live("token_file", &settings.metrics.token_file)
      .live("max_age", &settings.metrics.max_age)
      .from(Duration{0s}, Duration{1h});
  add_log(all, settings.log);
  return all;
}

}  // namespace sluice::hub::config
