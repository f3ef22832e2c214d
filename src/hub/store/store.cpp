#include "hub/store/store.hpp"

#include <bit>
#include <chrono>
#include <string>
#include <time.h>
#include <utility>

#include "crypto/random.hpp"
#include "hub/store/writer.hpp"

namespace sluice::hub::store {

UnixMs system_time() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

ClockReading system_clocks() {
  timespec since_boot{};
  ::clock_gettime(CLOCK_BOOTTIME, &since_boot);
  return {.wall = system_time(),
          .elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(
              std::chrono::seconds{since_boot.tv_sec} + std::chrono::nanoseconds{since_boot.tv_nsec})};
}

std::uint64_t system_random() {
  return std::bit_cast<std::uint64_t>(crypto::random_bytes<8>());
}

Retention default_retention(const Conversation&) {
  return {.age = limits::kKeptFor, .count = limits::kKeptMessages, .bytes = limits::kKeptBytes};
}

Result<std::unique_ptr<Store>> Store::open(StoreOptions options) {
  auto writer = Writer::open(std::move(options));
  if (!writer) return fail(std::move(writer.error()));
  return std::unique_ptr<Store>{new Store{std::move(*writer)}};
}

Store::Store(std::unique_ptr<Writer> writer) : writer_(std::move(writer)) {}
Store::~Store() = default;

std::uint64_t Store::epoch() const {
  return writer_->epoch();
}

Status Store::append(Append append) {
  return writer_->append(std::move(append));
}

UnixMs Store::time() const {
  return writer_->time();
}

/// Over a connection of its own: the writer's belongs to its thread.
Result<std::vector<RememberedId>> Store::remembered() const {
  auto database = sqlite::Database::open(writer_->source().database, sqlite::Database::Access::read_only);
  if (!database) return fail(std::move(database.error()));
  return IdLog::read(*database, limits::kDedupAge, writer_->ended_before());
}

void Store::acknowledge(const Conversation& inbox, Position up_to, std::string_view device) {
  writer_->acknowledge({.conversation = inbox, .position = up_to, .device = std::string{device}});
}

void Store::set_bound(Bytes bound) {
  writer_->set_bound(bound);
}

Result<Reader> Store::open_reader() const {
  return Reader::open(writer_->source());
}

Health Store::health() const {
  return writer_->health();
}

Books Store::books() const {
  return writer_->books();
}

/// Over a connection of its own, for its few milliseconds: the writer's belongs to its thread.
Result<crypto::Secret<32>> Store::secret(std::string_view name) {
  auto database = sqlite::Database::open(writer_->source().database, sqlite::Database::Access::read_write);
  if (!database) return fail(std::move(database.error()));
  if (auto set = database->execute("PRAGMA synchronous = FULL"); !set) return fail(std::move(set.error()));
  auto make = database->prepare("INSERT OR IGNORE INTO secret VALUES (?, ?)");
  if (!make) return fail(std::move(make.error()));
  const auto fresh = crypto::random_secret<32>();
  if (auto made = make->run(name, as_text(fresh.expose())); !made) return fail(std::move(made.error()));
  auto find = database->prepare("SELECT value FROM secret WHERE name = ?");
  if (!find) return fail(std::move(find.error()));
  const auto found = find->first(name);
  if (!found) return fail(found.error());
  const ByteView value = as_bytes(*found ? find->text(0) : std::string_view{});
  if (value.size() != 32) {
    return fail(Errc::malformed, "The hub's secret " + std::string{name} + " is not 32 bytes long.");
  }
  return crypto::Secret<32>{value.first<32>()};
}

Status Store::check_books() const {
  const Books before = books();
  if (!before.balanced()) {
    return fail(Errc::malformed, "The store's books do not balance: of " + std::to_string(before.appended) +
                                     " messages " + std::to_string(before.committed) + " are stored, " +
                                     std::to_string(before.failed) + " failed and " +
                                     std::to_string(before.waiting) + " wait.");
  }
  if (before.damaged > 0) return {};  // which was told, and explains any difference
  auto reader = open_reader();
  if (!reader) return fail(std::move(reader.error()));
  const bool was_at_rest = writer_->at_rest();
  const auto rows = reader->counted_rows();
  if (!rows) return fail(rows.error());
  // What goes on meanwhile would make a difference of its own.
  const Books after = books();
  const bool rested = was_at_rest && writer_->at_rest() && before.commits == after.commits;
  if (rested && *rows != after.rows) {
    return fail(Errc::malformed, "The store holds " + std::to_string(*rows) +
                                     " messages where its books say " + std::to_string(after.rows) + ".");
  }
  return {};
}

}  // namespace sluice::hub::store
