#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// What a process counts, as plain values, and how Prometheus reads it. Who counts, and how it is gathered
/// from the shards, is the business of others.
namespace sluice::observe {

/// How often values came within fixed bounds, for durations and sizes.
///
/// Pure, no lock: each shard has its own, gives copies away, and whoever shows them merges these. As large as
/// its bounds, whatever comes.
class Histogram {
 public:
  /// Upper bounds, each included in its bucket: finite and ascending (ENSURE). Above the last is one bucket
  /// more.
  explicit Histogram(std::vector<double> bounds);
  /// One that was counted elsewhere: of each bucket alone (ENSURE: one more than bounds), and the sum of all
  /// values.
  Histogram(std::vector<double> bounds, std::vector<std::uint64_t> counts, double sum);

  void observe(double value);  ///< A number (ENSURE).
  /// Adds what another one with the same bounds (ENSURE) has seen.
  void merge(const Histogram& other);

  [[nodiscard]] const std::vector<double>& bounds() const { return bounds_; }
  /// How many were at most each bound, in the order of the bounds; at last, with no bound: all.
  [[nodiscard]] std::vector<std::uint64_t> cumulative() const;
  [[nodiscard]] std::uint64_t count() const;
  [[nodiscard]] double sum() const { return sum_; }

 private:
  std::vector<double> bounds_;
  std::vector<std::uint64_t> counts_;  ///< Of each bucket alone.
  double sum_ = 0;
};

enum class MetricKind : std::uint8_t {
  counter,    ///< Only grows; by custom its name ends in `_total`.
  gauge,      ///< What it is now.
  histogram,  ///< Its samples are `Histogram`s, and no other metric's are (ENSURE).
};

struct MetricLabel {
  std::string name;
  std::string value;  ///< Any text: it is made printable and escaped.
};

struct MetricSample {
  std::vector<MetricLabel> labels{};
  std::variant<double, Histogram> value = 0.0;
};

struct Metric {
  std::string name;
  std::string help;
  MetricKind kind = MetricKind::gauge;
  std::vector<MetricSample> samples{};  ///< No two with the same labels.
};

/// Letters, digits, `_` and `:`, and no digit first.
[[nodiscard]] bool is_metric_name(std::string_view name);
/// The same without `:`; neither begins it with `__`, which is Prometheus's own, nor is it the `le` of
/// histograms.
[[nodiscard]] bool is_label_name(std::string_view name);

inline constexpr std::string_view kPrometheusType = "text/plain; version=0.0.4; charset=utf-8";

/// The text that Prometheus scrapes (its exposition format 0.0.4), in the order that is given. All names are
/// good ones (ENSURE). A metric without samples is left out.
[[nodiscard]] std::string to_prometheus(const std::vector<Metric>& metrics);

}  // namespace sluice::observe
