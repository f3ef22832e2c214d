#include "cli/client_list.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "api/admin_client.hpp"
#include "cli/reporter.hpp"
#include "wire/json/bounded.hpp"
#include "wire/json/pieces.hpp"

namespace sluice::cli {
namespace {

namespace json = boost::json;
using Row = ClientList::Row;

constexpr std::array<std::string_view, ClientList::kColumns> kHeads = {
    "ID", "USER", "REMOTE", "AGENT", "AGE", "GROUPS", "WAITING", "UNACKNOWLEDGED", "OLDEST"};
/// Columns are no wider: one long name shall not pad the lines of ten thousand others.
constexpr std::size_t kWidestColumn = 64;
/// Figures up to here are exact as doubles; no time and no number of bytes is near it.
constexpr double kLargestFigure = 9'007'199'254'740'992.0;
/// So many seconds, 292 years, and milliseconds, fit a clock of nanoseconds.
constexpr double kLongestAge = 9.2e9;
constexpr double kLongestAgeMs = 9.2e12;

std::unexpected<Error> unfit(std::string what) {
  return fail(Errc::protocol_violation, "the hub's answer is no list of clients: " + std::move(what));
}

std::string text_at(const json::object& object, std::string_view key) {
  const json::value* const value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string{value->as_string()} : std::string{};
}

/// The figures of one client. What is no number counts as 0: the hub may be a later one.
class Figures {
 public:
  double at(const json::object& object, std::string_view key, double most = kLargestFigure) {
    const json::value* const value = object.if_contains(key);
    if (value == nullptr || !value->is_number()) return 0;
    const auto figure = value->to_number<double>();
    if (figure >= 0 && figure <= most) return figure;
    if (wrong_.empty()) wrong_ = fmt::format("{} is {}", key, figure);
    return 0;
  }
  [[nodiscard]] const std::string& wrong() const { return wrong_; }

 private:
  std::string wrong_;
};

Result<Row> row_of(const json::object& client) {
  const json::object none;
  const json::value* const found = client.if_contains("pressure");
  const json::object& pressure = found != nullptr && found->is_object() ? found->get_object() : none;
  Figures figures;
  const std::chrono::duration<double> age{figures.at(client, "ageSeconds", kLongestAge)};
  const std::chrono::duration<double, std::milli> oldest{figures.at(pressure, "oldestMs", kLongestAgeMs)};
  const auto bytes = [&](std::string_view key) {
    return human_bytes(static_cast<std::uint64_t>(figures.at(pressure, key)));
  };
  Row row{text_at(client, "id"),
          text_at(client, "user"),
          text_at(client, "remote"),
          text_at(client, "agent"),
          human_duration(std::chrono::duration_cast<std::chrono::nanoseconds>(age)),
          fmt::format("{:.0f}", figures.at(client, "groups")),
          bytes("bytesWaiting"),
          bytes("bytesUnacknowledged"),
          human_duration(std::chrono::duration_cast<std::chrono::nanoseconds>(oldest))};
  if (!figures.wrong().empty()) return unfit(figures.wrong());
  return row;
}

Row heads_row() {
  Row row;
  std::ranges::copy(kHeads, row.begin());
  return row;
}

}  // namespace

Result<ClientList> ClientList::read(std::string_view text, std::size_t most) {
  ClientList list;
  list.widen(heads_row());
  auto members = wire::json::Pieces::of(text);
  if (!members || members->is_list()) return unfit("it is no JSON object");
  while (true) {
    const auto member = members->next();
    if (!member) return unfit("it is no JSON");
    if (!*member) return list;
    const auto& [key, value] = **member;
    if (key == "more") list.more_ = value == "true";
    if (key != "clients") continue;
    if (auto looked = list.look(value, most); !looked) return fail(std::move(looked.error()));
  }
}

Status ClientList::look(std::string_view clients, std::size_t most) {
  clients_ = clients;
  size_ = 0;
  auto items = wire::json::Pieces::of(clients);
  if (!items || !items->is_list()) return unfit("`clients` is no list");
  while (true) {
    const auto item = items->next();
    if (!item) return unfit("it is no JSON");
    if (!*item) return {};
    if (++size_ > most) return unfit(fmt::format("it has more than the {} that were asked for", most));
    const auto client = wire::json::parse((*item)->value, api::kAdminItem);
    if (!client) return unfit(client.error().message);
    if (!client->is_object()) return unfit("a client is no object");
    const auto row = row_of(client->get_object());
    if (!row) return fail(row.error());
    widen(*row);
  }
}

void ClientList::for_each(const std::function<void(json::object, std::string_view)>& use) const {
  auto items = wire::json::Pieces::of(clients_);
  while (items) {
    const auto item = items->next();
    if (!item || !*item) return;
    auto client = wire::json::parse((*item)->value, api::kAdminItem);
    if (!client) return;
    const auto row = row_of(client->get_object());
    if (row) use(std::move(client->get_object()), line_of(*row));
  }
}

std::string ClientList::heads() const {
  return line_of(heads_row());
}

void ClientList::widen(const Row& row) {
  for (std::size_t i = 0; i < kColumns; ++i)
    widths_[i] = std::max(widths_[i], std::min(row[i].size(), kWidestColumn));
}

/// Names to the left, figures to the right.
std::string ClientList::line_of(const Row& row) const {
  constexpr std::size_t kNames = 4;
  std::string line;
  for (std::size_t i = 0; i < kColumns; ++i) {
    line +=
        i < kNames ? fmt::format("{:<{}}", row[i], widths_[i]) : fmt::format("{:>{}}", row[i], widths_[i]);
    line += i + 1 < kColumns ? "  " : "";
  }
  return line;
}

}  // namespace sluice::cli
