#include "api/hub_metrics.hpp"

#include <algorithm>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::api {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

HubFigures everything() {
  return {.version = "1.2.3",
          .messaging = hub::service::GatewayStatus{},
          .process = {
              .resident = Bytes{4'096}, .open_descriptors = 7, .max_descriptors = 1'024, .cpu_seconds = 1.5}};
}

std::string rendered(const HubFigures& figures) {
  return observe::to_prometheus(metrics_of(figures));
}

/// A metric as a row of the page's table.
std::string row_of(const observe::Metric& metric) {
  std::string labels;
  for (const observe::MetricLabel& label : metric.samples.at(0).labels)
    labels += (labels.empty() ? " `" : ", `") + label.name + "`";
  const std::string kind = metric.kind == observe::MetricKind::counter     ? "counter"
                           : metric.kind == observe::MetricKind::histogram ? "histogram"
                                                                           : "gauge";
  return "| `" + metric.name + "` | " + kind + " |" + labels + " | " + metric.help + " |";
}

TEST(HubMetrics, StandInThePageAsTheyAre) {
  std::ifstream page{SLUICE_DOCS "/hub-observability.md"};
  std::vector<std::string> documented;
  for (std::string line; std::getline(page, line);) {
    if (line.contains(" | counter | ") || line.contains(" | gauge | ") || line.contains(" | histogram | "))
      documented.push_back(line);
  }
  std::vector<std::string> known;
  for (const observe::Metric& metric : metrics_of(everything())) known.push_back(row_of(metric));
  EXPECT_THAT(documented, ::testing::ElementsAreArray(known));
}

TEST(HubMetrics, HaveNamesAsPrometheusAsksForThem) {
  for (const observe::Metric& metric : metrics_of(everything())) {
    const bool counts = metric.kind == observe::MetricKind::counter;
    EXPECT_EQ(metric.name.ends_with("_total"), counts) << metric.name;
    EXPECT_TRUE(metric.help.ends_with('.')) << metric.name;
  }
}

TEST(HubMetrics, AreFewerWithoutMessaging) {
  HubFigures figures = everything();
  figures.messaging.reset();
  figures.process = {};
  const std::string text = rendered(figures);
  EXPECT_THAT(text, HasSubstr("sluice_hub_build_info{version=\"1.2.3\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("sluice_hub_mailboxes 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("sluice_hub_users")));
  EXPECT_THAT(text, Not(HasSubstr("process_")));
}

TEST(HubMetrics, SayWhetherTheBooksBalance) {
  HubFigures figures = everything();
  figures.messaging->books = {.accepted = 10, .delivered = 4, .gapped = 2, .expired = 1};
  figures.messaging->pending = 3;
  EXPECT_THAT(rendered(figures), HasSubstr("sluice_hub_books_balanced 1\n"));
  EXPECT_THAT(rendered(figures), HasSubstr("sluice_hub_books_pending 3\n"));
  figures.messaging->pending = 2;
  EXPECT_THAT(rendered(figures), HasSubstr("sluice_hub_books_balanced 0\n"));
}

TEST(HubMetrics, CountByEveryReasonFromTheStart) {
  HubFigures figures = everything();
  figures.messaging->counts.ended[static_cast<std::size_t>(wire::hub::Reason::slow_consumer)] = 60;
  const std::string text = rendered(figures);
  EXPECT_THAT(text, HasSubstr("sluice_hub_connections_ended_total{reason=\"slow_consumer\"} 60\n"));
  EXPECT_THAT(text, HasSubstr("sluice_hub_connections_ended_total{reason=\"kicked\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("sluice_hub_refusals_total{reason=\"rate_limited\"} 0\n"));
  EXPECT_THAT(text,
              HasSubstr("sluice_hub_store_removed_total{conversation=\"group\",reason=\"trimmed\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("sluice_hub_server_ended_total{how=\"bad_request\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("sluice_hub_mailbox_denials_total{reason=\"silent\"} 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("reason=\"none\"")));
  EXPECT_THAT(text, Not(HasSubstr("reason=\"unknown\"")));
}

TEST(HubMetrics, CountConnectionsByTheirStates) {
  HubFigures figures = everything();
  figures.messaging->sockets = 12;
  figures.messaging->clients = 10;
  figures.messaging->welcomed = 7;
  const std::string text = rendered(figures);
  EXPECT_THAT(text, HasSubstr("sluice_hub_connections{state=\"greeting\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("sluice_hub_connections{state=\"open\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("sluice_hub_connections{state=\"closing\"} 2\n"));
  figures.messaging->sockets = 9;  // looked at a little earlier
  EXPECT_THAT(rendered(figures), HasSubstr("sluice_hub_connections{state=\"closing\"} 0\n"));
}

TEST(ProcessFigures, AreThoseOfThisProcess) {
  const ProcessFigures figures = process_figures();
  EXPECT_GT(figures.resident.value(), Bytes{1 << 20});
  EXPECT_GE(figures.open_descriptors.value(), 3U);
  EXPECT_GT(figures.max_descriptors.value(), figures.open_descriptors.value());
  EXPECT_GE(figures.cpu_seconds.value(), 0);
}

}  // namespace
}  // namespace sluice::api
