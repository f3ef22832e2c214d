#include <algorithm>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/time.hpp"
#include "hub/store/store.hpp"

/// Senders that store messages and wait until they are on the disk, each for its own conversation. All of
/// them live on the main thread, as a shard's do; the store has its own.
namespace sluice {
namespace {

using namespace hub::store;

struct Load {
  std::string folder;
  std::size_t senders = 64;
  std::size_t window = 1;  ///< Messages of a sender that may wait for the disk at once.
  std::size_t size = 256;
  double seconds = 10;
};

[[noreturn]] void give_up(std::string_view why) {
  fmt::print(stderr, "store_load: {}\n", why);
  std::exit(1);
}

Conversation conversation(std::size_t sender) {
  return {.kind = Conversation::Kind::group, .name = "group-" + std::to_string(sender)};
}

/// Outcomes on their way from the store's thread to the senders'.
class Arrivals {
 public:
  OnStored listener() {
    return [this](std::uint32_t, std::vector<Completion> completions) {
      const std::scoped_lock lock{mutex_};
      std::ranges::move(completions, std::back_inserter(waiting_));
      arrived_.notify_one();
    };
  }
  std::vector<Completion> wait() {
    std::unique_lock lock{mutex_};
    arrived_.wait(lock, [this] { return !waiting_.empty(); });
    return std::exchange(waiting_, {});
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<Completion> waiting_;
};

/// What is on its way: a slot for each message that a sender may have waiting; its number is the ticket.
class Senders {
 public:
  Senders(Load load, Store& store) : load_(std::move(load)), store_(store), heads_(load_.senders) {
    auto reader = store_.open_reader();
    if (!reader) give_up(describe(reader.error()));
    for (std::size_t i = 0; i < load_.senders; ++i) heads_[i] = reader->head(conversation(i)).value().offset;
    slots_.resize(load_.senders * load_.window);
  }

  void send(std::size_t slot) {
    const std::size_t sender = slot / load_.window;
    auto message = std::make_shared<wire::hub::Delivery>(
        wire::hub::Delivery{.from = "sender",
                            .to = conversation(sender),
                            .id = std::to_string(heads_[sender]),
                            .position = {.epoch = store_.epoch(), .offset = ++heads_[sender]},
                            .sent_at = system_time(),
                            .content = {.bytes = std::string(load_.size, 'x')}});
    slots_[slot] = {.offset = heads_[sender], .begun = Clock::now()};
    IdPrint print{.sender = sender, .conversation = sender};
    std::memcpy(print.message.data(), &heads_[sender], sizeof heads_[sender]);
    if (auto taken = store_.append({.ticket = slot, .message = std::move(message), .print = print}); !taken)
      give_up(describe(taken.error()));
  }

  struct Slot {
    std::uint64_t offset = 0;
    TimePoint begun{};
  };
  [[nodiscard]] const Slot& slot(std::size_t number) const { return slots_[number]; }
  [[nodiscard]] std::size_t slots() const { return slots_.size(); }

 private:
  Load load_;
  Store& store_;
  std::vector<std::uint64_t> heads_;
  std::vector<Slot> slots_;
};

std::unique_ptr<Store> open_store(const Load& load, OnStored listener) {
  auto store = Store::open({.folder = load.folder, .on_stored = std::move(listener)});
  if (!store) give_up(describe(store.error()));
  return std::move(*store);
}

double cpu_seconds() {
  struct rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

double percentile(std::vector<double>& values, double share) {
  const auto at =
      values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

int measure(const Load& load) {
  Arrivals arrivals;
  const auto store = open_store(load, arrivals.listener());
  Senders senders{load, *store};
  std::vector<double> waits_ms;
  const double cpu_before = cpu_seconds();
  const TimePoint begin = Clock::now();
  const TimePoint end =
      begin + std::chrono::duration_cast<Duration>(std::chrono::duration<double>{load.seconds});
  for (std::size_t slot = 0; slot < senders.slots(); ++slot) senders.send(slot);
  TimePoint now = begin;
  for (std::size_t under_way = senders.slots(); under_way > 0;) {
    const auto completions = arrivals.wait();
    now = Clock::now();
    for (const Completion& completion : completions) {
      if (!completion.outcome) give_up(describe(completion.outcome.error()));
      const auto wait = now - senders.slot(completion.ticket).begun;
      waits_ms.push_back(std::chrono::duration<double, std::milli>(wait).count());
      if (now < end) {
        senders.send(completion.ticket);
      } else {
        --under_way;
      }
    }
  }
  const double seconds = std::chrono::duration<double>(now - begin).count();
  const auto messages = static_cast<double>(waits_ms.size());
  const double cpu = cpu_seconds() - cpu_before;
  const Books books = store->books();
  if (auto checked = store->check_books(); !checked) give_up(describe(checked.error()));
  fmt::print(
      R"({{"event":"done","msgs_per_s":{:.0f},"p50_ms":{:.2f},"p99_ms":{:.2f},"cpu_us_per_message":{:.2f},)"
      R"("messages":{},"commits":{}}})"
      "\n",
      messages / seconds, percentile(waits_ms, 0.5), percentile(waits_ms, 0.99), cpu / messages * 1e6,
      waits_ms.size(), books.commits);
  return 0;
}

/// Stores until it is killed, and says of each message that it is stored.
int write_for_ever(const Load& load) {
  Arrivals arrivals;
  const auto store = open_store(load, arrivals.listener());
  Senders senders{load, *store};
  fmt::print("{{\"event\":\"began\",\"epoch\":{}}}\n", store->epoch());
  for (std::size_t slot = 0; slot < senders.slots(); ++slot) senders.send(slot);
  for (;;) {
    std::string stored;
    for (const Completion& completion : arrivals.wait()) {
      if (!completion.outcome) give_up(describe(completion.outcome.error()));
      stored += fmt::format("{}[{},{}]", stored.empty() ? "" : ",", completion.ticket / load.window,
                            senders.slot(completion.ticket).offset);
      senders.send(completion.ticket);
    }
    fmt::print("{{\"event\":\"stored\",\"messages\":[{}]}}\n", stored);
    std::fflush(stdout);
  }
}

/// Says what is in the store.
int list(const Load& load) {
  const auto store = open_store(load, [](std::uint32_t, const std::vector<Completion>&) {});
  if (auto checked = store->check_books(); !checked) give_up(describe(checked.error()));
  auto reader = store->open_reader();
  if (!reader) give_up(describe(reader.error()));
  for (std::size_t sender = 0; sender < load.senders; ++sender) {
    const auto page = reader->page(conversation(sender), {}, {.messages = SIZE_MAX, .bytes = Bytes::max()});
    if (!page) give_up(describe(page.error()));
    std::string offsets;
    for (const StoredMessage& message : page->messages)
      offsets += fmt::format("{}{}", offsets.empty() ? "" : ",", message.delivery.position.offset);
    fmt::print("{{\"event\":\"holds\",\"sender\":{},\"offsets\":[{}]}}\n", sender, offsets);
  }
  fmt::print("{{\"event\":\"checked\",\"epoch\":{}}}\n", store->epoch());
  return 0;
}

template <typename Number>
Number number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) give_up(fmt::format("{} is no number", text));
  return value;
}

int run(const std::vector<std::string_view>& words) {
  if (words.size() != 6) give_up("usage: store_load measure|write|list FOLDER SENDERS WINDOW SIZE SECONDS");
  const Load load{.folder = std::string{words[1]},
                  .senders = number<std::size_t>(words[2]),
                  .window = number<std::size_t>(words[3]),
                  .size = number<std::size_t>(words[4]),
                  .seconds = number<double>(words[5])};
  if (words[0] == "measure") return measure(load);
  if (words[0] == "write") return write_for_ever(load);
  if (words[0] == "list") return list(load);
  give_up("what?");
}

}  // namespace
}  // namespace sluice

int main(int count, char** words) {
  return sluice::run({words + 1, words + count});
}
