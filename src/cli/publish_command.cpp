#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include "api/messaging_connector.hpp"
#include "cli/command.hpp"
#include "cli/messaging_arguments.hpp"
#include "cli/pipe_ends.hpp"
#include "cli/run_job.hpp"
#include "core/hub_limits.hpp"
#include "flow/token_bucket.hpp"
#include "runtime/task_scope.hpp"

namespace sluice::cli {
namespace {

namespace asio = boost::asio;
using wire::hub::Conversation;
using wire::hub::Reason;

struct PublishArguments {
  MessagingArguments messaging;
  std::string user;
  std::string group;
  bool all = false;
  std::string level = "accepted";
  std::string key;
  std::uint32_t ttl_ms = 0;
  std::string text = "-";
};

struct PublishOptions {
  MessagingOptions messaging;
  messaging::Draft draft;           ///< All of them, but for the content.
  std::optional<std::string> text;  ///< Absent: standard input, a message a line.
};

/// Publishes what it is given, as fast as the hub lets it, and waits for all answers.
class PublishJob final : public api::Job {
 public:
  PublishJob(const asio::any_io_executor& executor, PublishOptions options, Reporter& reporter)
      : options_(std::move(options)),
        reporter_(reporter),
        client_(executor, api::messaging_connector(options_.messaging.hub, options_.messaging.encoding),
                options_.messaging.session),
        news_(executor),
        tasks_(executor) {}

  asio::awaitable<std::optional<api::Failure>> run() override {
    tasks_.spawn(client_.run());
    tasks_.spawn(publish_all());
    while (!failure_ && !stopped_) {
      const auto event = client_.poll();
      if (event) {
        look(*event);
        continue;
      }
      if (all_published_ && client_.session().unanswered() == 0) break;
      co_await client_.wait();
    }
    tasks_.cancel();
    co_await tasks_.join();
    co_return summary();
  }
  void stop() override {
    stopped_ = true;
    client_.wake();
  }
  [[nodiscard]] Ending ending() const override { return {.what = "what was not answered is given up"}; }
  [[nodiscard]] std::optional<api::TunnelStatus> status() const override { return std::nullopt; }

 private:
  asio::awaitable<void> publish_all() {
    if (options_.text) {
      co_await publish(*options_.text);
    } else {
      LineReader lines{tasks_.executor(), STDIN_FILENO, limits::kMaxEnvelope};
      while (!failure_) {
        auto line = co_await lines.next();
        if (!line && line.error().code == Errc::limit_exceeded) {
          reject(Reason::too_large, line.error());
          continue;
        }
        if (!line) fail_with(Stage::start, line.error());
        if (!line || !*line) break;
        co_await publish(**line);
      }
    }
    all_published_ = true;
    client_.wake();
  }

  asio::awaitable<void> publish(std::string text) {
    co_await keep_pace(text.size());
    messaging::Draft draft = options_.draft;
    draft.content = {.kind = wire::hub::Content::Kind::text, .bytes = std::move(text)};
    auto number = co_await client_.publish(std::move(draft));
    if (number) {
      numbers_.emplace(*number, ++messages_);
    } else if (number.error().code == Errc::limit_exceeded) {
      reject(Reason::too_large, number.error());
    } else if (number.error().code == Errc::invalid_argument) {
      reject(Reason::malformed, number.error());
    } else {
      fail_with(Stage::running, number.error());
    }
  }

  /// A message that the hub would reject is not sent; those behind it are.
  void reject(Reason reason, const Error& why) {
    tell(++messages_, {.reason = reason, .message = describe(why)});
  }

  /// At the rate that the hub has announced nothing is refused for coming too fast, so all stays in order.
  asio::awaitable<void> keep_pace(std::size_t size) {
    while (!limits_ && !failure_) co_await news_.wait();
    if (!limits_) co_return;
    asio::steady_timer timer{tasks_.executor()};
    const Duration wait =
        std::max(limits_->messages.wait_for(1, Clock::now()), limits_->bytes.wait_for(size, Clock::now()));
    if (wait > Duration::zero()) {
      timer.expires_after(wait);
      co_await timer.async_wait(asio::use_awaitable);
    }
    (void)limits_->messages.take(1, Clock::now());
    (void)limits_->bytes.take(size, Clock::now());
  }

  void look(const messaging::Event& event) {
    if (const auto* connected = std::get_if<messaging::Connected>(&event)) {
      const auto& told = connected->welcome.limits;
      const std::uint64_t messages = std::max<std::uint64_t>(1, told.messages_per_second);
      const std::uint64_t bytes = std::max(told.bytes_per_second.count(), limits::kMaxEnvelope.count());
      limits_.emplace(Pace{.messages = {{.burst = messages, .tokens = messages}, Clock::now()},
                           .bytes = {{.burst = bytes, .tokens = bytes}, Clock::now()}});
      news_.notify();
    } else if (const auto* lost = std::get_if<messaging::Lost>(&event)) {
      // Somebody who types a message wants to know at once that nobody is there.
      if (!limits_) return fail_with(Stage::hub, lost->why);
      prepare_retry(options_.messaging, client_, *lost, reporter_);
    } else if (const auto* over = std::get_if<messaging::Over>(&event)) {
      const api::Failure why = why_over(*over, limits_.has_value());
      fail_with(why.stage, why.error);
    } else if (const auto* answered = std::get_if<messaging::Answered>(&event)) {
      if (auto number = numbers_.extract(answered->number)) tell(number.mapped(), answered->receipt);
    }
  }

  /// What became of the message of that number, counted as they were given.
  void tell(std::uint64_t number, const wire::hub::Receipt& receipt) {
    boost::json::object fields{{"number", number}, {"id", receipt.id}};
    if (receipt.reason == Reason::none) {
      ++accepted_;
      fields["level"] = wire::hub::name_of(receipt.level);
      if (receipt.position != wire::hub::Position{}) {
        fields["epoch"] = receipt.position.epoch;
        fields["offset"] = receipt.position.offset;
      }
      return reporter_.event("published", std::move(fields), "");
    }
    ++refused_;
    fields["reason"] = wire::hub::name_of(receipt.reason);
    fields["message"] = receipt.message;
    if (receipt.retry_after_ms > 0) fields["retry_after_ms"] = receipt.retry_after_ms;
    reporter_.event("refused", std::move(fields),
                    fmt::format("message {} was rejected ({}): {}", number,
                                wire::hub::name_of(receipt.reason), receipt.message));
  }

  void fail_with(Stage stage, const Error& error) {
    if (!failure_) failure_ = api::Failure{.stage = stage, .error = error};
    news_.notify();
    client_.wake();
  }

  std::optional<api::Failure> summary() {
    const std::uint64_t unknown = messages_ - accepted_ - refused_;
    reporter_.event(
        "done", {{"accepted", accepted_}, {"refused", refused_}, {"unanswered", unknown}},
        fmt::format("{} published{}{}", accepted_, refused_ > 0 ? fmt::format(", {} refused", refused_) : "",
                    unknown > 0 ? fmt::format(", {} not answered", unknown) : ""));
    if (failure_) return failure_;
    if (refused_ == 0 && unknown == 0) return std::nullopt;
    return api::Failure{.stage = Stage::running,
                        .error = {.code = Errc::refused,
                                  .message = fmt::format("{} of {} messages were not published",
                                                         refused_ + unknown, messages_)}};
  }

  struct Pace {
    flow::TokenBucket messages;
    flow::TokenBucket bytes;
  };
  PublishOptions options_;
  Reporter& reporter_;
  messaging::HubClient client_;
  runtime::WakeUp news_;
  runtime::TaskScope tasks_;
  std::optional<Pace> limits_;
  std::optional<api::Failure> failure_;
  bool all_published_ = false;
  bool stopped_ = false;
  std::map<std::uint64_t, std::uint64_t> numbers_;  ///< Of messages without an answer: the session's, ours.
  std::uint64_t messages_ = 0;
  std::uint64_t accepted_ = 0;
  std::uint64_t refused_ = 0;
};

Result<PublishOptions> publish_options(const PublishArguments& arguments) {
  auto messaging = messaging_options(arguments.messaging);
  if (!messaging) return fail(std::move(messaging.error()));
  PublishOptions options{.messaging = std::move(*messaging), .draft = {}, .text = std::nullopt};
  messaging::Draft& draft = options.draft;
  if (arguments.all) draft.to = {.kind = Conversation::Kind::all};
  if (!arguments.user.empty()) draft.to = {.kind = Conversation::Kind::user, .name = arguments.user};
  if (!arguments.group.empty()) draft.to = {.kind = Conversation::Kind::group, .name = arguments.group};
  if (arguments.level == "stored") draft.level = wire::hub::Level::stored;
  if (arguments.level == "delivered") draft.level = wire::hub::Level::delivered;
  if (draft.to.kind != Conversation::Kind::all && !wire::hub::is_name(draft.to.name)) {
    return fail(Errc::invalid_argument,
                fmt::format("'{}' is no name of a user or group: it takes 1 to {} bytes without control "
                            "characters",
                            draft.to.name, limits::kMaxName.count()));
  }
  if (!wire::hub::is_label(arguments.key, limits::kMaxId)) {
    return fail(Errc::invalid_argument, fmt::format("'{}' is no key: it takes at most {} bytes without "
                                                    "control characters",
                                                    arguments.key, limits::kMaxId.count()));
  }
  draft.key = arguments.key;
  draft.ttl_ms = arguments.ttl_ms;
  if (arguments.text != "-") options.text = arguments.text;
  return options;
}

ExitCode run_publish(const PublishArguments& arguments, Reporter& reporter) {
  auto options = publish_options(arguments);
  if (!options) return reporter.error(Stage::start, options.error());
  asio::io_context shard{1};
  PublishJob job{shard.get_executor(), std::move(*options), reporter};
  return run_job(shard, job, reporter);
}

}  // namespace

void add_publish_command(CLI::App& app, Action& chosen) {
  auto* command =
      app.add_subcommand("publish", "Send messages through a hub to a user, a group, or everyone");
  command->footer(
      "Without TEXT, or with -, each line of standard input is a message. They are sent in order, as fast as "
      "the hub\n"
      "takes them, and again with the same id where a connection was lost before the answer.\n"
      "The exit status is 0 only when the hub has answered for every one of them.\n\n"
      "Examples:\n"
      "  sluice publish --user ann --to bob \"are you there?\"\n"
      "  sluice publish --token-file ann.jwt --group ops --level stored < events.txt");
  auto arguments = std::make_shared<PublishArguments>();
  add_messaging_options(*command, arguments->messaging);
  auto* to = command->add_option_group("to whom");
  to->add_option("--to", arguments->user, "A user")->option_text("USER");
  to->add_option("--group", arguments->group, "A group");
  to->add_flag("--all", arguments->all, "Everyone");
  to->require_option(1);
  command->add_option("--level", arguments->level, "What is waited for: accepted, stored or delivered")
      ->check(CLI::IsMember({"accepted", "stored", "delivered"}))
      ->capture_default_str();
  command->add_option("--key", arguments->key,
                      "Of what waits for a slow reader, the newest of a key replaces it");
  command->add_option("--ttl-ms", arguments->ttl_ms, "Worthless after so many milliseconds");
  command->add_option("TEXT", arguments->text, "The message; -: standard input")->capture_default_str();
  command->callback([&chosen, arguments] {
    chosen.run = [arguments](Reporter& reporter) { return run_publish(*arguments, reporter); };
  });
}

}  // namespace sluice::cli
