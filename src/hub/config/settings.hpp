#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/admission_limits.hpp"
#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/hub_limits.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"
#include "hub/auth/verifier.hpp"
#include "hub/gateway/settings.hpp"
#include "observe/log.hpp"
#include "transport/forwarded.hpp"

/// What an operator sets of a hub, read from a TOML file. docs/hub-settings.md has every key.
namespace sluice::hub::config {

/// Where the hub is reached.
struct Listen {
  std::vector<std::string> addresses = {"127.0.0.1:7788"};  ///< `ADDRESS:PORT`, `[ADDRESS]:PORT`.
  std::filesystem::path tls_cert{};                         ///< With `tls_key`, or neither.
  std::filesystem::path tls_key{};
  std::filesystem::path dev_cert{};  ///< A folder; instead of the two.
  /// Plain HTTP wherever they are: for a proxy that ends TLS on its way here. Not of an open hub.
  std::vector<std::string> plain{};
  std::vector<std::string>
      trusted_proxies{};  ///< Addresses and networks whose word about clients is believed.
  transport::Forwarding forwarding = transport::Forwarding::x_forwarded_for;  ///< How they say it.
  std::size_t max_connections = limits::kMaxConnections;
  /// Names under which the hub is asked, beside those that it finds out itself (transport::SiteRules).
  std::vector<std::string> hosts{};
};

/// Who is let in.
struct Auth {
  bool open = false;  ///< Everyone, under the name that they give; on loopback addresses only.
  auth::VerifierOptions verifier{};
  std::vector<std::string>
      origins{};  ///< Whose pages may use the hub, beside its own (transport::SiteRules).
};

/// How many may come at once.
struct Admission {
  bool enabled = true;
  std::size_t handshakes = limits::kPendingHandshakes;  ///< Connections whose request has not been read.
  /// Clients at the same time, from the upgrade to the Welcome. Of this and of the burst one part in
  /// `limits::kAdmissionResumeShare` is kept for those that prove that they resume.
  std::size_t unauthenticated = limits::kMaxUnauthenticated;
  Duration request_timeout = limits::kHandshakeTimeout;  ///< From accept to the end of the request.
  Duration shortest_timeout =
      limits::kShortestPatience;  ///< What is left of it, and of the Hello's, at full load.
  std::size_t per_address = limits::kMaxConnectionsPerAddress;  ///< Connections.
  std::size_t per_network = limits::kMaxConnectionsPerNetwork;  ///< Of an IPv6 /48.
  std::uint64_t connections_per_second = limits::kAdmissionsPerSecond;
  std::uint64_t connection_burst = limits::kAdmissionBurst;
  /// Who is sent away is told to come back between these, at random.
  Duration retry_after_min = limits::kRetryAfterMin;
  Duration retry_after_max = limits::kRetryAfterMax;
};

/// What mailboxes may take, and for how long.
struct MailboxFigures {
  std::size_t mailboxes = limits::kMaxMailboxes;
  std::size_t per_address = limits::kMaxMailboxesPerAddress;
  std::size_t waiters = limits::kMaxMailboxWaiters;
  Duration life = limits::kMailboxLife;
  Duration introduction = limits::kMailboxVisit;
  Duration first_message = limits::kVisitorFirstMessage;
  Duration silence = limits::kPlaceless;
  std::uint64_t try_burst = limits::kTryBurst;
  Duration try_interval = limits::kTryInterval;
};

struct Heartbeat {
  std::uint64_t misses =
      limits::kMissedPings;  ///< Pings in a row without a word; the interval is the gateway's.
};

/// How long a conversation's messages are kept; the first bound that is passed decides.
struct Retention {
  Duration max_age = limits::kKeptFor;
  std::uint64_t max_messages = limits::kKeptMessages;
  Bytes max_bytes = limits::kKeptBytes;

  bool operator==(const Retention&) const = default;
};

/// A route as the file has it; what it leaves out of its retention is the store's.
struct WrittenRoute {
  Route route{};
  std::optional<Duration> max_age{};
  std::optional<std::uint64_t> max_messages{};
  std::optional<Bytes> max_bytes{};

  bool operator==(const WrittenRoute&) const = default;
};

struct Store {
  bool enabled = true;  ///< Off: no route stores anything.
  /// Empty, or `:memory:`: what is stored is gone with the hub.
  std::string folder{};
  Bytes bound = limits::kStoreBytes;  ///< Of the whole database.
  Retention kept{};
};

struct Admin {
  std::filesystem::path token_file{};  ///< Empty: there is no administration over HTTP.
};

struct Metrics {
  std::filesystem::path token_file{};  ///< Empty: anybody may read `/metrics`.
  /// How long one page of figures is shown again instead of being gathered anew: a scraper that asks more
  /// often than once a second learns little, and each time costs every loop a look at all its connections.
  Duration max_age = std::chrono::seconds{1};
};

/// Everything that the file says, with the defaults of what it does not.
struct Settings {
  Listen listen{};
  Auth auth{};
  GatewaySettings gateway{};  ///< With the routes as they are to be used: see `classes_enabled` and `Store`.
  bool classes_enabled = true;  ///< Off: all routes are normal.
  Admission admission{};
  MailboxFigures mailboxes{};
  Heartbeat heartbeat{};
  Store store{};
  std::vector<WrittenRoute> routes{};        ///< Those of the gateway are made of them.
  std::vector<Retention> route_retention{};  ///< One for each of `gateway.routes`, in their order.
  Admin admin{};
  Metrics metrics{};
  observe::LogConfig log{};
};

/// How long the messages of one conversation are kept: as its route says (the first that matches), else as
/// the store does.
class Retentions {
 public:
  explicit Retentions(const Settings& settings);
  [[nodiscard]] Retention of(const wire::hub::Conversation& conversation) const;

 private:
  Routes routes_;
  std::vector<std::pair<std::string, Retention>> by_match_;
  Retention others_;
};

/// What a text says in TOML 1.0; `file` is named in errors and is where relative paths begin (its folder; an
/// empty one: where the program runs). Errors: `malformed` (no TOML), `invalid_argument` (it says something
/// that makes no sense), each with a line `FILE:LINE:COLUMN: what is wrong` for each of the first
/// `limits::kSettingsProblems`, in their order.
[[nodiscard]] Result<Settings> parse_settings(std::string_view text, std::string_view file);

/// The same of a file. Waits for the disk. Errors: also `not_found`, `permission_denied`, `io`,
/// `limit_exceeded` (over `limits::kMaxSettingsFile`).
[[nodiscard]] Result<Settings> load_settings(const std::filesystem::path& path);

/// The present settings with what a text changes of them, told as `parse_settings` tells it: keys alone, and
/// all routes or none. Keys of tokens are in the file alone.
[[nodiscard]] Result<Settings> changed_settings(const Settings& present, std::string_view text,
                                                std::string_view name);

/// The keys that are not the same in both, in the order of the documentation; `route` for the list of them.
[[nodiscard]] std::vector<std::string> changed_keys(const Settings& old, const Settings& fresh);

/// One key that is not the same in both, with what it said and says, as the file would; of routes and keys
/// how many.
struct SettingChange {
  std::string key;
  std::string before;
  std::string after;

  bool operator==(const SettingChange&) const = default;
};
/// In the order of `changed_keys`.
[[nodiscard]] std::vector<SettingChange> changes(const Settings& old, const Settings& fresh);

/// What a running hub goes on with: the fresh settings, but for the keys that it cannot take up, which stay
/// as they were. So `auth.open` is never applied without the addresses that it was checked with.
[[nodiscard]] Settings reloaded(const Settings& old, Settings fresh);

/// The keys (`listen.addresses`) that are not the same in both and that a running hub cannot take up, in the
/// order of the documentation. Everything else applies at once.
[[nodiscard]] std::vector<std::string> needs_restart(const Settings& old, const Settings& fresh);

}  // namespace sluice::hub::config
