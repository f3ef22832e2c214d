#include "observe/metrics.hpp"

#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace sluice::observe {
namespace {

using Counts = std::vector<std::uint64_t>;

TEST(Histogram, CountsWhatIsAtMostEachBound) {
  Histogram histogram{{1, 2.5, 10}};
  EXPECT_EQ(histogram.cumulative(), (Counts{0, 0, 0, 0}));
  for (const double value : {0.5, 1.0, 1.1, 2.5, 10.0, 10.1, -3.0}) histogram.observe(value);
  histogram.observe(std::numeric_limits<double>::infinity());
  EXPECT_EQ(histogram.cumulative(), (Counts{3, 5, 6, 8}));
  EXPECT_EQ(histogram.count(), 8U);
  EXPECT_EQ(histogram.sum(), std::numeric_limits<double>::infinity());
}

TEST(Histogram, AddsWhatAnotherHasSeen) {
  Histogram one{{1, 2}};
  Histogram two{{1, 2}};
  one.observe(0.5);
  two.observe(1.5);
  two.observe(2.5);
  const Histogram copy = two;
  one.merge(copy);
  two.observe(0.25);
  EXPECT_EQ(one.cumulative(), (Counts{1, 2, 3}));
  EXPECT_EQ(one.sum(), 4.5);
  EXPECT_EQ(two.cumulative(), (Counts{1, 2, 3}));
  EXPECT_EQ(two.sum(), 4.25);
}

TEST(Histogram, MayHaveNoBounds) {
  Histogram histogram{{}};
  histogram.observe(7);
  EXPECT_EQ(histogram.cumulative(), Counts{1});
}

TEST(Metrics, AreWrittenAsPrometheusReadsThem) {
  Histogram delays{{0.005, 0.5}};
  for (const double value : {0.001, 0.1, 0.25, 3.0}) delays.observe(value);
  const std::vector<Metric> metrics{
      {.name = "sluice_dropped_total",
       .help = "Messages that were dropped.",
       .kind = MetricKind::counter,
       .samples = {{.labels = {{.name = "reason", .value = "slow"}}, .value = 3.0},
                   {.labels = {{.name = "reason", .value = "full"}, {.name = "shard", .value = "1"}},
                    .value = 9007199254740991.0}}},
      {.name = "sluice_clients", .help = "Clients now.", .samples = {{.value = 0.25}}},
      {.name = "sluice_unused", .help = "Nothing yet.", .kind = MetricKind::counter},
      {.name = "sluice_delay_seconds",
       .help = "From publish to receipt.",
       .kind = MetricKind::histogram,
       .samples = {{.labels = {{.name = "class", .value = "state"}}, .value = delays}}}};
  EXPECT_EQ(to_prometheus(metrics),
            "# HELP sluice_dropped_total Messages that were dropped.\n"
            "# TYPE sluice_dropped_total counter\n"
            "sluice_dropped_total{reason=\"slow\"} 3\n"
            "sluice_dropped_total{reason=\"full\",shard=\"1\"} 9007199254740991\n"
            "# HELP sluice_clients Clients now.\n"
            "# TYPE sluice_clients gauge\n"
            "sluice_clients 0.25\n"
            "# HELP sluice_delay_seconds From publish to receipt.\n"
            "# TYPE sluice_delay_seconds histogram\n"
            "sluice_delay_seconds_count{class=\"state\"} 4\n"
            "sluice_delay_seconds_sum{class=\"state\"} 3.351\n"
            "sluice_delay_seconds_bucket{class=\"state\",le=\"0.005\"} 1\n"
            "sluice_delay_seconds_bucket{class=\"state\",le=\"0.5\"} 3\n"
            "sluice_delay_seconds_bucket{class=\"state\",le=\"+Inf\"} 4\n");
  EXPECT_EQ(to_prometheus({}), "");
}

TEST(Metrics, EscapeTextsThatAreNotTheirOwn) {
  const std::vector<Metric> metrics{{.name = "a",
                                     .help = "One \\ and\nanother.",
                                     .samples = {{.labels = {{.name = "user",
                                                              .value = "a\"b\\c\nd\xFF"
                                                                       "e\x1B[2J"}},
                                                  .value = 1.0}}}};
  EXPECT_EQ(to_prometheus(metrics),
            "# HELP a One \\\\ and\\nanother.\n"
            "# TYPE a gauge\n"
            "a{user=\"a\\\"b\\\\c\\\\u000ad\xEF\xBF\xBD"
            "e\\\\u001b[2J\"} 1\n");
}

TEST(Metrics, HaveNamesThatPrometheusTakes) {
  for (const char* good : {"a", "_a", "a:b", "A9_", "le", ":"}) EXPECT_TRUE(is_metric_name(good)) << good;
  for (const char* bad : {"", "9a", "a-b", "a b", "a\n", "\xC3\xA4"})
    EXPECT_FALSE(is_metric_name(bad)) << bad;
  for (const char* good : {"a", "_a", "A9_", "less"}) EXPECT_TRUE(is_label_name(good)) << good;
  for (const char* bad : {"", "9a", "a:b", "__a", "le", "a\"b"}) EXPECT_FALSE(is_label_name(bad)) << bad;
}

}  // namespace
}  // namespace sluice::observe
