#include "api/hub_metrics.hpp"

#include <chrono>
#include <string_view>
#include <utility>

namespace sluice::api {
namespace {

using hub::service::GatewayStatus;
using observe::Metric;
using observe::MetricKind;
using observe::MetricSample;

/// By ServerCount.
constexpr std::array<std::string_view, websocket::kServerCounts> kServerEnds = {
    "answered",    "full",       "address_full",  "network_full", "gave_way",
    "timed_out",   "tls_failed", "busy",          "lost",         "unanswered",
    "bad_request", "bad_proxy",  "no_descriptor", "foreign_host", "foreign_origin"};
static_assert(!kServerEnds.back().empty());

/// By Conversation::Kind and by store::Removal.
constexpr std::array<std::string_view, hub::store::kConversationKinds> kKinds = {"user", "group", "all"};
constexpr std::array<std::string_view, hub::store::kRemovals> kRemovals = {"acknowledged", "expired",
                                                                           "trimmed", "evicted", "damaged"};

/// Writes metrics down one after the other.
class Page {
 public:
  explicit Page(std::vector<Metric>& metrics) : metrics_(metrics) {}

  template <typename Number>
  void counter(std::string name, std::string help, Number value) {
    add(std::move(name), std::move(help), MetricKind::counter);
    sample({}, value);
  }
  template <typename Number>
  void gauge(std::string name, std::string help, Number value) {
    add(std::move(name), std::move(help), MetricKind::gauge);
    sample({}, value);
  }

  /// Begins one that has labels; its samples follow.
  void add(std::string name, std::string help, MetricKind kind) {
    metrics_.push_back({.name = std::move(name), .help = std::move(help), .kind = kind});
  }
  void sample(std::vector<observe::MetricLabel> labels, std::uint64_t value) {
    sample(std::move(labels), static_cast<double>(value));
  }
  void sample(std::vector<observe::MetricLabel> labels, Bytes value) {
    sample(std::move(labels), value.count());
  }
  void histogram(std::string name, std::string help, observe::Histogram value) {
    add(std::move(name), std::move(help), MetricKind::histogram);
    metrics_.back().samples.push_back({.labels = {}, .value = std::move(value)});
  }
  void sample(std::vector<observe::MetricLabel> labels, double value) {
    metrics_.back().samples.push_back({.labels = std::move(labels), .value = value});
  }

 private:
  std::vector<Metric>& metrics_;
};

observe::MetricLabel label(std::string name, std::string_view value) {
  return {.name = std::move(name), .value = std::string{value}};
}

template <typename Counts, typename Name>
void by(Page& page, const std::string& what, const Counts& counts, Name&& name) {
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const std::string_view value = name(i);
    if (!value.empty()) page.sample({label(what, value)}, counts[i]);
  }
}

/// Empty for what is no reason.
std::string_view reason_name(std::size_t number) {
  const std::string_view name = wire::hub::name_of(static_cast<wire::hub::Reason>(number));
  return number == 0 || name == wire::hub::name_of(wire::hub::kUnknownReason) ? std::string_view{} : name;
}

void add_process(Page& page, const HubFigures& figures) {
  page.add("sluice_hub_build_info", "Which version this is; always 1.", MetricKind::gauge);
  page.sample({label("version", figures.version)}, 1.0);
  const ProcessFigures& process = figures.process;
  if (process.resident)
    page.gauge("process_resident_memory_bytes", "Memory of the process in RAM.", *process.resident);
  if (process.cpu_seconds)
    page.counter("process_cpu_seconds_total", "Processor time of all threads.", *process.cpu_seconds);
  if (process.open_descriptors)
    page.gauge("process_open_fds", "Open file descriptors.", *process.open_descriptors);
  if (process.max_descriptors)
    page.gauge("process_max_fds", "How many there may be.", *process.max_descriptors);
}

void add_server(Page& page, const HubFigures& figures) {
  page.gauge("sluice_hub_server_connections", "Open TCP connections of all kinds.",
             std::uint64_t{figures.server.connections});
  page.add("sluice_hub_server_ended_total", "Connections that did not become a WebSocket, by how they ended.",
           MetricKind::counter);
  by(page, "how", figures.server.ended, [](std::size_t i) { return kServerEnds[i]; });
  page.counter("sluice_hub_admin_unauthorized_total", "Requests to /v1/admin without its token.",
               figures.unauthorized);
}

void add_mailboxes(Page& page, const HubFigures::Mailboxes& mailboxes) {
  page.gauge("sluice_hub_mailboxes", "Open mailboxes.", std::uint64_t{mailboxes.mailboxes});
  page.gauge("sluice_hub_mailbox_connections", "Connections to /v1/mailbox.",
             std::uint64_t{mailboxes.connections});
  page.counter("sluice_hub_introductions_total", "Visitors that found their host.", mailboxes.introductions);
  page.add("sluice_hub_mailbox_denials_total", "What mailboxes refused, dropped or cut off, by why.",
           MetricKind::counter);
  by(page, "reason", mailboxes.denied, [](std::size_t i) { return name_of(static_cast<hub::Denial>(i)); });
}

void add_clients(Page& page, const GatewayStatus& status) {
  // Those of several shards, each at its own time: a difference may come out below nothing.
  const auto left = [](std::size_t all, std::size_t part) {
    return std::uint64_t{all - std::min(all, part)};
  };
  page.add("sluice_hub_connections", "Connections to /v1/hub, by how far they are.", MetricKind::gauge);
  page.sample({label("state", "greeting")}, left(status.clients, status.welcomed));
  page.sample({label("state", "open")}, std::uint64_t{status.welcomed});
  page.sample({label("state", "closing")}, left(status.sockets, status.clients));
  page.gauge("sluice_hub_slow_connections", "Those for whom something waits or is unacknowledged.",
             std::uint64_t{status.slow});
  page.gauge("sluice_hub_users", "Users who are connected.", std::uint64_t{status.users});
  page.gauge("sluice_hub_conversations", "Conversations that somebody speaks in or listens to.",
             std::uint64_t{status.conversations});
  page.counter("sluice_hub_connections_opened_total", "Connections to /v1/hub.", status.totals.opened);
  page.counter("sluice_hub_connections_welcomed_total", "Of them, those that were let in.",
               status.totals.welcomed);
  page.add("sluice_hub_connections_ended_total", "Of them, those that have ended, by why.",
           MetricKind::counter);
  by(page, "reason", status.counts.ended, reason_name);
  page.counter("sluice_hub_sent_bytes_total", "Encoded bytes that sockets took.", status.totals.sent);
  page.counter("sluice_hub_received_bytes_total", "Bytes of messages from clients.", status.totals.received);
}

observe::Histogram histogram_of(const hub::DeliveryTimes& times) {
  std::vector<double> bounds;
  for (std::size_t i = 0; i + 1 < hub::DeliveryTimes::kBuckets; ++i)
    bounds.push_back(std::chrono::duration<double>(hub::DeliveryTimes::bound(i)).count());
  return {std::move(bounds), {times.counts().begin(), times.counts().end()}, times.sum().count()};
}

void add_messages(Page& page, const GatewayStatus& status) {
  page.counter("sluice_hub_envelopes_received_total", "Messages of any kind from clients.",
               status.counts.received);
  page.counter("sluice_hub_paced_total",
               "Times that a client had used its allowance up and was not read from.", status.counts.paced);
  page.counter("sluice_hub_publishes_accepted_total", "Publishes that were numbered and handed on.",
               status.counts.accepted);
  page.add("sluice_hub_refusals_total", "What clients were refused, by why.", MetricKind::counter);
  by(page, "reason", status.counts.refused, reason_name);
  const hub::Books& books = status.books;
  page.counter("sluice_hub_books_accepted_total", "Copies of messages that were to reach a connection.",
               books.accepted);
  page.counter("sluice_hub_books_delivered_total", "Of them, those that did.", books.delivered);
  page.counter("sluice_hub_books_gapped_total", "Of them, those that were dropped, which a gap tells.",
               books.gapped);
  page.counter("sluice_hub_books_expired_total", "Of them, those whose connection ended first.",
               books.expired);
  page.gauge("sluice_hub_books_pending", "Copies that wait or are unacknowledged, counted from the queues.",
             status.pending);
  page.gauge("sluice_hub_books_balanced",
             "1: what was accepted is delivered, gapped, expired or pending, to the last copy.",
             std::uint64_t{books.balance(status.pending)});
  page.histogram("sluice_hub_delivery_seconds", "From a message's acceptance to the receiver's socket.",
                 histogram_of(books.times));
}

void add_pressure(Page& page, const GatewayStatus& status) {
  page.counter("sluice_hub_dropped_total", "Normal messages that were dropped for slow connections.",
               status.totals.dropped);
  page.counter("sluice_hub_shed_bytes_total", "Bytes that were given up since memory was short.",
               status.counts.shed);
  page.counter("sluice_hub_would_drop_total", "Messages that a dry run did not drop.",
               status.totals.would_drop);
  page.counter("sluice_hub_would_cut_total", "Times that a dry run did not cut a connection.",
               status.totals.would_cut);
  page.gauge("sluice_hub_memory_held_bytes", "What waits anywhere in the hub.", status.memory.held);
  page.gauge("sluice_hub_memory_peak_bytes", "The most of it since the start.", status.memory.peak);
  page.gauge("sluice_hub_memory_limit_bytes", "What may wait: memory.limit.", status.memory.limit);
  page.counter("sluice_hub_memory_refusals_total", "What found no room in it.", status.memory.refused);
  page.gauge("sluice_hub_fanout_backlog_bytes", "What is to be handed out, as bytes times receivers.",
             status.backlog.held);
  page.gauge("sluice_hub_fanout_backlog_peak_bytes", "The most of it since the start.", status.backlog.peak);
  page.gauge("sluice_hub_fanout_backlog_limit_bytes", "How much it may be.", status.backlog.limit);
  page.counter("sluice_hub_fanout_backlog_refusals_total", "Publishes that came faster than they could go.",
               status.backlog.refused);
}

void add_admission(Page& page, const GatewayStatus& status) {
  page.counter("sluice_hub_admission_admitted_total", "Upgrades that were let in.",
               status.turnstile.admitted);
  page.counter("sluice_hub_admission_sent_away_total", "Upgrades that were told to come again.",
               status.turnstile.sent_away);
  page.counter("sluice_hub_admission_resumes_sent_away_total",
               "Of them, those that prove that they resume a session.", status.turnstile.resumes_sent_away);
  page.counter("sluice_hub_admission_gave_way_total",
               "Clients whose place before their welcome went to a newcomer.", status.gave_way);
}

void add_store(Page& page, const GatewayStatus& status) {
  const hub::store::Books& books = status.store;
  page.gauge("sluice_hub_epoch", "The number of this run.", status.epoch);
  page.counter("sluice_hub_store_appended_total", "Messages that the store took.", books.appended);
  page.add("sluice_hub_store_refused_total", "Messages that it did not take: full, or it had just failed.",
           MetricKind::counter);
  page.sample({label("reason", "full")}, books.refused_full);
  page.sample({label("reason", "failing")}, books.refused_broken);
  page.counter("sluice_hub_store_committed_total", "Messages that are on the disk.", books.committed);
  page.counter("sluice_hub_store_failed_total", "Messages whose commit failed.", books.failed);
  page.gauge("sluice_hub_store_waiting", "Messages that wait for their commit.", books.waiting);
  page.counter("sluice_hub_store_commits_total", "Transactions.", books.commits);
  page.counter("sluice_hub_store_acknowledgements_total", "Inboxes whose mark was moved.",
               books.acknowledgements);
  page.counter("sluice_hub_store_acknowledgements_dropped_total",
               "Marks that were not moved since too many waited.", books.acknowledgements_dropped);
  page.counter("sluice_hub_store_conversations_forgotten_total",
               "Conversations without messages whose numbering was given up.", books.forgotten);
  page.counter("sluice_hub_store_damaged_total",
               "Times that a row was met which is not as it was written; the log says which.", books.damaged);
  page.gauge("sluice_hub_store_messages", "Messages in the store.", books.rows);
  page.add("sluice_hub_store_removed_total", "Messages that left it, by kind of conversation and why.",
           MetricKind::counter);
  for (std::size_t kind = 0; kind < kKinds.size(); ++kind) {
    for (std::size_t why = 0; why < kRemovals.size(); ++why)
      page.sample({label("conversation", kKinds[kind]), label("reason", kRemovals[why])},
                  books.removed[kind][why]);
  }
  page.gauge("sluice_hub_store_books_balanced", "1: every message that it took is accounted for.",
             std::uint64_t{books.balanced()});
  page.gauge("sluice_hub_store_healthy", "0: the last attempt to write failed; the log says why.",
             std::uint64_t{!status.store_health.failing});
}

}  // namespace

std::vector<Metric> metrics_of(const HubFigures& figures) {
  std::vector<Metric> metrics;
  Page page{metrics};
  add_process(page, figures);
  add_server(page, figures);
  add_mailboxes(page, figures.mailboxes);
  if (!figures.messaging) return metrics;
  add_clients(page, *figures.messaging);
  add_messages(page, *figures.messaging);
  add_pressure(page, *figures.messaging);
  add_admission(page, *figures.messaging);
  add_store(page, *figures.messaging);
  return metrics;
}

}  // namespace sluice::api
