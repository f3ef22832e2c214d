#include "observe/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>
#include <prometheus/metric_type.h>
#include <prometheus/text_serializer.h>

#include "core/ensure.hpp"
#include "observe/printable.hpp"

namespace sluice::observe {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// The format lets two characters of a help text mean something else; the library leaves them as they are.
std::string escaped_help(std::string_view help) {
  std::string out;
  for (const char c : help) {
    if (c == '\\') out += "\\\\";
    if (c == '\n') out += "\\n";
    if (c != '\\' && c != '\n') out += c;
  }
  return out;
}

prometheus::MetricType type_of(MetricKind kind) {
  switch (kind) {
    case MetricKind::counter:
      return prometheus::MetricType::Counter;
    case MetricKind::gauge:
      return prometheus::MetricType::Gauge;
    case MetricKind::histogram:
      return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

prometheus::ClientMetric::Histogram buckets_of(const Histogram& histogram) {
  prometheus::ClientMetric::Histogram out;
  const std::vector<std::uint64_t> counts = histogram.cumulative();
  std::vector<double> bounds = histogram.bounds();
  bounds.push_back(std::numeric_limits<double>::infinity());
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    prometheus::ClientMetric::Bucket bucket;
    bucket.cumulative_count = counts[i];
    bucket.upper_bound = bounds[i];
    out.bucket.push_back(bucket);
  }
  out.sample_count = histogram.count();
  out.sample_sum = histogram.sum();
  return out;
}

prometheus::ClientMetric convert(const MetricSample& sample, MetricKind kind) {
  ENSURE(std::holds_alternative<Histogram>(sample.value) == (kind == MetricKind::histogram));
  prometheus::ClientMetric out;
  for (const MetricLabel& label : sample.labels) {
    ENSURE(is_label_name(label.name));
    prometheus::ClientMetric::Label copied;
    copied.name = label.name;
    copied.value = printable(label.value);
    out.label.push_back(std::move(copied));
  }
  if (kind == MetricKind::histogram) {
    out.histogram = buckets_of(std::get<Histogram>(sample.value));
  } else if (kind == MetricKind::counter) {
    out.counter.value = std::get<double>(sample.value);
  } else {
    out.gauge.value = std::get<double>(sample.value);
  }
  return out;
}

}  // namespace

Histogram::Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {
  ENSURE(std::ranges::all_of(bounds_, [](double bound) { return std::isfinite(bound); }));
  ENSURE(std::ranges::adjacent_find(bounds_, std::greater_equal{}) == bounds_.end());
}

Histogram::Histogram(std::vector<double> bounds, std::vector<std::uint64_t> counts, double sum)
    : Histogram(std::move(bounds)) {
  ENSURE(counts.size() == counts_.size());
  counts_ = std::move(counts);
  sum_ = sum;
}

void Histogram::observe(double value) {
  ENSURE(!std::isnan(value));
  const auto bucket = std::ranges::lower_bound(bounds_, value) - bounds_.begin();
  ++counts_[static_cast<std::size_t>(bucket)];
  sum_ += value;
}

void Histogram::merge(const Histogram& other) {
  ENSURE(bounds_ == other.bounds_);
  std::ranges::transform(counts_, other.counts_, counts_.begin(), std::plus{});
  sum_ += other.sum_;
}

std::vector<std::uint64_t> Histogram::cumulative() const {
  std::vector<std::uint64_t> sums(counts_.size());
  std::partial_sum(counts_.begin(), counts_.end(), sums.begin());
  return sums;
}

std::uint64_t Histogram::count() const {
  return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
}

bool is_metric_name(std::string_view name) {
  return !name.empty() && !is_digit(name.front()) &&
         std::ranges::all_of(name, [](char c) { return is_letter(c) || is_digit(c) || c == ':'; });
}

bool is_label_name(std::string_view name) {
  return is_metric_name(name) && !name.contains(':') && !name.starts_with("__") && name != "le";
}

std::string to_prometheus(const std::vector<Metric>& metrics) {
  std::vector<prometheus::MetricFamily> families;
  for (const Metric& metric : metrics) {
    ENSURE(is_metric_name(metric.name));
    if (metric.samples.empty()) continue;
    prometheus::MetricFamily& family = families.emplace_back();
    family.name = metric.name;
    family.help = escaped_help(metric.help);
    family.type = type_of(metric.kind);
    for (const MetricSample& sample : metric.samples) family.metric.push_back(convert(sample, metric.kind));
  }
  return prometheus::TextSerializer{}.Serialize(families);
}

}  // namespace sluice::observe
