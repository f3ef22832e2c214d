#include "transport/dialing/resolver.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <boost/asio/post.hpp>

namespace sluice::dialing {

namespace asio = boost::asio;

asio::execution_context::id Resolver::id;

Resolver& Resolver::of(const asio::any_io_executor& executor) {
  return asio::use_service<Resolver>(asio::query(executor, asio::execution::context));
}

Resolver::Resolver(asio::execution_context& context, NameSource source)
    : asio::execution_context::service(context),
      source_(std::move(source)),
      threads_(std::make_unique<LookUpThreads>()) {}

void Resolver::shutdown() noexcept {
  threads_.reset();
  waiting_.clear();
}

void Resolver::look_up(const std::string& host, const std::shared_ptr<Asker>& asker,
                       const asio::any_io_executor& executor) {
  for (const Family family : {Family::v6, Family::v4}) ask({.host = host, .family = family}, asker, executor);
}

void Resolver::ask(const Question& question, const std::shared_ptr<Asker>& asker,
                   const asio::any_io_executor& executor) {
  if (const Answer* known = cache_.find(question, Clock::now())) {
    const Answer answer = *known;
    return asker->on_answer(question.family, answer);
  }
  const auto [place, first] = waiting_.try_emplace(question);
  auto& [askers, sweep_at] = place->second;
  if (askers.size() >= sweep_at) {
    std::erase_if(askers, [](const auto& each) { return each.expired(); });
    sweep_at = std::max(sweep_at, askers.size() * 2);
  }
  askers.push_back(asker);
  if (!first) return;
  const auto taken = threads_->run([this, question, executor, source = source_](const auto& deliver) {
    Answer answer = source.look_up(question);
    const bool found = !answer.addresses.empty();
    deliver([&] {
      asio::post(executor, [this, question, answer = std::move(answer)]() mutable {
        take(question, std::move(answer));
      });
    });
    if (!found) return;
    const std::optional<Duration> life = source.life_of(question);
    if (!life) return;
    deliver([&] {
      asio::post(executor, [this, question, life = std::min<Duration>(*life, limits::kLongestNameLife)] {
        cache_.correct(question, life, Clock::now());
      });
    });
  });
  if (taken == LookUpThreads::Taken::yes) return;
  waiting_.erase(place);
  asker->on_answer(question.family,
                   {.miss = Answer::Miss::trouble, .text = "too many names are being looked up"});
}

void Resolver::take(const Question& question, Answer answer) {
  auto waiting = waiting_.extract(question);
  if (answer.miss == Answer::Miss::none) {
    cache_.keep(question, answer, limits::kUnknownNameLife, Clock::now());
  } else if (answer.miss != Answer::Miss::no_descriptors) {
    cache_.keep(question, answer, limits::kMissingNameLife, Clock::now());
  }
  if (waiting.empty()) return;
  for (const auto& each : waiting.mapped().askers) {
    if (const auto asker = each.lock()) asker->on_answer(question.family, answer);
  }
}

bool Resolver::take_spare_attempt() {
  if (spare_attempts_ >= limits::kSpareAttempts) return false;
  ++spare_attempts_;
  return true;
}

}  // namespace sluice::dialing
