#include <charconv>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "api/messaging_connector.hpp"
#include "cli/command.hpp"
#include "cli/messaging_arguments.hpp"
#include "cli/pipe_ends.hpp"
#include "cli/run_job.hpp"
#include "cli/state_file.hpp"
#include "core/limits.hpp"
#include "observe/printable.hpp"
#include "runtime/task_scope.hpp"

namespace sluice::cli {
namespace {

namespace asio = boost::asio;
using wire::hub::Conversation;
using wire::hub::Reason;

constexpr auto kStateInterval = std::chrono::seconds{1};

struct SubscribeArguments {
  MessagingArguments messaging;
  std::vector<std::string> groups;
  std::string from;
  std::string state;
  bool pull = false;
  std::uint64_t count = 0;
};

struct SubscribeOptions {
  MessagingOptions messaging;
  std::vector<wire::hub::Join> groups;
  std::string state;
  std::uint64_t count = 0;  ///< Ends after so many deliveries; 0: never.
  bool json = false;
};

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t three = 0;
    for (std::size_t j = 0; j < 3; ++j)
      three = three << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    for (std::size_t j = 0; j < 4; ++j)
      text += i + j <= bytes.size() ? kDigits[three >> (18 - 6 * j) & 0x3F] : '=';
  }
  return text;
}

/// What comes, one line each on standard output, until it is stopped; what is said about the connection goes
/// to standard error.
class SubscribeJob final : public api::Job {
 public:
  SubscribeJob(const asio::any_io_executor& executor, SubscribeOptions options, Reporter& reporter)
      : options_(std::move(options)),
        reporter_(reporter),
        client_(executor, api::messaging_connector(options_.messaging.hub, options_.messaging.encoding),
                options_.messaging.session),
        output_(executor, STDOUT_FILENO),
        tasks_(executor) {}

  asio::awaitable<std::optional<api::Failure>> run() override {
    for (const wire::hub::Join& group : options_.groups) {
      if (auto joined = client_.join(group); !joined)
        co_return api::Failure{.stage = Stage::start, .error = joined.error()};
    }
    tasks_.spawn(client_.run());
    while (!failure_ && !stopped_) {
      save(Clock::now());
      if (const auto event = client_.poll()) {
        co_await look(*event);
      } else {
        co_await client_.wait();
      }
    }
    // What was printed is told to the hub before the connection ends; what still waits is left to the next
    // run.
    client_.settle();
    save(TimePoint::max());
    client_.stop();
    co_await tasks_.join();
    co_return failure_;
  }
  void stop() override {
    stopped_ = true;
    client_.wake();
  }
  [[nodiscard]] Ending ending() const override {
    return {.what = "the hub is told what was printed",
            .limit = std::chrono::duration_cast<std::chrono::seconds>(limits::kLinkCloseTimeout)};
  }
  [[nodiscard]] std::optional<api::TunnelStatus> status() const override { return std::nullopt; }

 private:
  asio::awaitable<void> look(const messaging::Event& event) {
    std::string line;
    if (const auto* message = std::get_if<messaging::Message>(&event)) {
      line = options_.json ? json_line(message->delivery) : text_line(message->delivery);
      if (++printed_ == options_.count) stopped_ = true;
    } else if (const auto* gap = std::get_if<wire::hub::Gap>(&event)) {
      line = options_.json ? json_line(*gap) : text_line(*gap);
      if (gap->reason == Reason::history_changed) warn_of_history(*gap);
    } else {
      return_event(event);
    }
    if (line.empty()) co_return;
    const bool written = co_await output_.write(std::move(line));
    if (!written) stopped_ = true;  // whoever read it has gone, as `head` does
  }

  /// Whoever reads the messages alone must know it as well as whoever watches the connection.
  void warn_of_history(const wire::hub::Gap& gap) {
    const std::string about = conversation_text(gap.conversation);
    reporter_.event(
        "history_changed", {{"conversation", conversation_fields(gap.conversation)}},
        fmt::format("{}: the hub does not have all that came before; its store was restored or lost, "
                    "or it was killed, or it keeps none of this. Going on with what it has now",
                    about));
  }

  void return_event(const messaging::Event& event) {
    if (const auto* connected = std::get_if<messaging::Connected>(&event)) {
      connected_ = true;
      boost::json::object fields{{"user", connected->welcome.user},
                                 {"session", connected->welcome.session},
                                 {"resumed", connected->welcome.resumed}};
      std::string why;
      if (const auto& previous = connected->welcome.previous) {
        fields["previous"] = wire::hub::name_of(previous->reason);
        if (previous->reason != Reason::none && previous->reason != Reason::closed_by_client)
          why = fmt::format("; the last connection ended with {}", wire::hub::name_of(previous->reason));
      }
      reporter_.event("connected", std::move(fields),
                      fmt::format("connected as {}{}", connected->welcome.user, why));
    } else if (const auto* lost = std::get_if<messaging::Lost>(&event)) {
      if (!connected_) return fail_with(Stage::hub, lost->why);
      prepare_retry(options_.messaging, client_, *lost, reporter_);
    } else if (const auto* over = std::get_if<messaging::Over>(&event)) {
      const api::Failure why = why_over(*over, connected_);
      fail_with(why.stage, why.error);
    } else if (const auto* refusal = std::get_if<wire::hub::Refusal>(&event)) {
      reporter_.event("trouble",
                      {{"reason", wire::hub::name_of(refusal->reason)},
                       {"message", refusal->message},
                       {"group", refusal->group}},
                      fmt::format("{}{} ({})", refusal->group.empty() ? "" : refusal->group + ": ",
                                  refusal->message, wire::hub::name_of(refusal->reason)));
      const bool denied = refusal->reason == Reason::forbidden ||
                          refusal->reason == Reason::too_many_groups || refusal->reason == Reason::malformed;
      if (denied) fail_with(Stage::running, {.code = Errc::refused, .message = refusal->message});
    } else if (const auto* joined = std::get_if<wire::hub::Joined>(&event)) {
      reporter_.event("joined", {{"group", joined->group}, {"members", joined->members}}, "");
    }
  }

  void fail_with(Stage stage, const Error& error) {
    if (!failure_) failure_ = api::Failure{.stage = stage, .error = error};
  }

  static std::string json_line(const wire::hub::Delivery& delivery) {
    boost::json::object line{{"event", "delivery"}, {"from", delivery.from}};
    line["to"] = conversation_fields(delivery.to);
    if (!delivery.id.empty()) line["id"] = delivery.id;
    if (delivery.request.empty()) {
      line["epoch"] = delivery.position.epoch;
      line["offset"] = delivery.position.offset;
    } else {
      line["request"] = delivery.request;
    }
    line["sent_at_ms"] = delivery.sent_at;
    if (delivery.content.kind == wire::hub::Content::Kind::text) {
      line["text"] = delivery.content.bytes;
    } else {
      line["data"] = base64(delivery.content.bytes);
    }
    if (!delivery.key.empty()) line["key"] = delivery.key;
    if (delivery.critical) line["critical"] = true;
    if (delivery.replayed) line["replayed"] = true;
    return observe::printable(boost::json::serialize(line)) + '\n';
  }
  static std::string json_line(const wire::hub::Gap& gap) {
    boost::json::object line{{"event", "gap"}};
    line["conversation"] = conversation_fields(gap.conversation);
    line["epoch"] = gap.epoch;
    line["first"] = gap.first;
    line["last"] = gap.last;
    line["count"] = gap.count;
    line["reason"] = wire::hub::name_of(gap.reason);
    line["gone"] = gap.gone;
    if (gap.from)
      line["from"] = boost::json::object{{"epoch", gap.from->epoch}, {"offset", gap.from->offset}};
    return boost::json::serialize(line) + '\n';
  }
  static std::string text_line(const wire::hub::Delivery& delivery) {
    const bool text = delivery.content.kind == wire::hub::Content::Kind::text;
    return observe::printable(fmt::format(
               "{} {}: {}", conversation_text(delivery.to), delivery.from,
               text ? delivery.content.bytes : fmt::format("<{} bytes>", delivery.content.bytes.size()))) +
           '\n';
  }
  static std::string text_line(const wire::hub::Gap& gap) {
    if (gap.reason == Reason::history_changed && gap.count == 0) {
      const std::string behind = gap.from ? fmt::format(" behind {}", gap.from->offset) : "";
      return observe::printable(fmt::format("{} -- another history{}, up to {} ({})",
                                            conversation_text(gap.conversation), behind, gap.last,
                                            wire::hub::name_of(gap.reason))) +
             '\n';
    }
    return observe::printable(fmt::format("{} -- {} missing, {} to {} ({}{})",
                                          conversation_text(gap.conversation), gap.count, gap.first, gap.last,
                                          wire::hub::name_of(gap.reason), gap.gone ? ", gone" : "")) +
           '\n';
  }

  /// All that was taken is printed, and the session's positions are of that.
  void save(TimePoint now) {
    if (options_.state.empty() || (now < saved_at_ + kStateInterval && now != TimePoint::max())) return;
    saved_at_ = Clock::now();
    const KeptState state{.session_token = client_.session().session_token(),
                          .positions = client_.session().positions()};
    if (auto saved = save_state(options_.state, state); !saved) fail_with(Stage::running, saved.error());
  }

  SubscribeOptions options_;
  Reporter& reporter_;
  messaging::HubClient client_;
  PatientWriter output_;
  runtime::TaskScope tasks_;
  std::optional<api::Failure> failure_;
  TimePoint saved_at_{};
  std::uint64_t printed_ = 0;
  bool connected_ = false;
  bool stopped_ = false;
};

/// `all`, or EPOCH:OFFSET.
Result<std::optional<wire::hub::Position>> parse_from(std::string_view text) {
  if (text.empty()) return std::nullopt;
  if (text == "all") return wire::hub::Position{};
  wire::hub::Position position;
  const char* const end = text.data() + text.size();
  const auto epoch = std::from_chars(text.data(), end, position.epoch);
  if (epoch.ec == std::errc{} && epoch.ptr != end && *epoch.ptr == ':') {
    const auto offset = std::from_chars(epoch.ptr + 1, end, position.offset);
    if (offset.ec == std::errc{} && offset.ptr == end) return position;
  }
  return fail(Errc::invalid_argument,
              fmt::format("'{}' is no position: write EPOCH:OFFSET, as in 3:120, or all", text));
}

Result<SubscribeOptions> subscribe_options(const SubscribeArguments& arguments) {
  auto messaging = messaging_options(arguments.messaging);
  if (!messaging) return fail(std::move(messaging.error()));
  auto from = parse_from(arguments.from);
  if (!from) return fail(std::move(from.error()));
  SubscribeOptions options{.messaging = std::move(*messaging),
                           .groups = {},
                           .state = arguments.state,
                           .count = arguments.count,
                           .json = false};
  for (const std::string& group : arguments.groups) options.groups.push_back({.group = group, .from = *from});
  if (arguments.pull) options.messaging.session.gaps = messaging::SessionOptions::Gaps::pull;
  if (arguments.state.empty()) return options;
  auto kept = load_state(arguments.state);
  if (!kept) return fail(std::move(kept.error()));
  options.messaging.session.session_token = std::move(kept->session_token);
  options.messaging.session.positions = std::move(kept->positions);
  return options;
}

ExitCode run_subscribe(const SubscribeArguments& arguments, Reporter& reporter) {
  auto options = subscribe_options(arguments);
  if (!options) return reporter.error(Stage::start, options.error());
  options->json = reporter.is_json();
  asio::io_context shard{1};
  SubscribeJob job{shard.get_executor(), std::move(*options), reporter};
  return run_job(shard, job, reporter);
}

}  // namespace

void add_subscribe_command(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("subscribe", "Print what comes for a user, and in groups");
  command->footer(
      "One line for each message, and for each gap: what the hub could not deliver. A lost connection is "
      "opened again,\n"
      "and goes on where it stopped. With --state so does the next run; the file holds a secret.\n\n"
      "Examples:\n"
      "  sluice subscribe --user bob\n"
      "  sluice subscribe --token-file bob.jwt --group ops --from all --json\n"
      "  sluice subscribe --user bob --group ops --state bob.state");
  auto arguments = std::make_shared<SubscribeArguments>();
  add_messaging_options(*command, arguments->messaging);
  command->add_option("--group", arguments->groups, "A group to join; may be repeated")
      ->allow_extra_args(false);
  command
      ->add_option("--from", arguments->from,
                   "Begin in the groups behind this position, or with all that is kept")
      ->option_text("EPOCH:OFFSET|all");
  command->add_option("--state", arguments->state, "Where to keep how far one has come")->option_text("FILE");
  command->add_flag("--pull", arguments->pull, "Fetch what was dropped, where the hub still has it");
  command->add_option("--count", arguments->count, "End after so many messages");
  command->callback([&chosen, arguments] {
    chosen.stdout_is_data = true;
    chosen.run = [arguments](Reporter& reporter) { return run_subscribe(*arguments, reporter); };
  });
}

}  // namespace sluice::cli
