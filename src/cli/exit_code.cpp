#include "cli/exit_code.hpp"

namespace sluice::cli {
namespace {

bool is_loss(Errc code) {
  return code == Errc::closed || code == Errc::link_lost || code == Errc::stalled;
}

}  // namespace

ExitCode exit_code(Stage stage, Errc code) {
  if (code == Errc::address_in_use) return ExitCode::port_in_use;
  switch (stage) {
    case Stage::start:
      return code == Errc::invalid_argument ? ExitCode::usage : ExitCode::failure;
    case Stage::hub:
      return ExitCode::hub_unreachable;
    case Stage::entry:
      return ExitCode::failure;
    case Stage::rendezvous:
      if (code == Errc::not_found || code == Errc::closed) return ExitCode::code_unknown;
      if (code == Errc::wrong_code) return ExitCode::code_wrong;
      return ExitCode::failure;
    case Stage::path:
      return code == Errc::wrong_code ? ExitCode::code_wrong : ExitCode::no_path;
    case Stage::running:
      return is_loss(code) ? ExitCode::peer_lost : ExitCode::failure;
  }
  return ExitCode::failure;
}

std::string explain(Stage stage, const Error& error) {
  // The layer below only knows which of its connections was closed.
  if (stage == Stage::running && error.code == Errc::closed) return "the host ended the tunnel";
  return describe(error);
}

std::string_view hint(Stage stage, Errc code) {
  if (code == Errc::address_in_use) return "Choose another port, or 0 to let the system choose one.";
  switch (stage) {
    case Stage::start:
      return code == Errc::invalid_argument ? "`sluice COMMAND --help` shows examples." : "";
    case Stage::hub:
      if (code == Errc::permission_denied)
        return "Compare the fingerprint with the one that the hub printed when it started.";
      if (code == Errc::unsupported)
        return "Start that hub with --open, or with keys ([[auth.key]]) in its settings; or check --hub (or "
               "SLUICE_HUB).";
      return "Check --hub (or SLUICE_HUB) and that `sluice hub` runs there; `curl URL/healthz` should "
             "answer.";
    case Stage::entry:
      return "An open hub wants --user NAME, one with keys --token-file FILE with a token of theirs that has "
             "not expired.";
    case Stage::rendezvous:
      if (code == Errc::not_found) return "Codes live ten minutes: ask the host for its current one.";
      if (code == Errc::wrong_code) return "The code is burnt now: ask the host for its new one.";
      if (code == Errc::busy)
        return "The host is serving others: try again in a moment. With --key this is retried by itself.";
      if (code == Errc::timed_out)
        return "The host did not answer: see whether it still runs, then try again.";
      return "";
    case Stage::path:
      return "Neither side's packets reach the other: try --stun HOST:PORT on both sides, or --turn for a "
             "relay.";
    case Stage::running:
      if (code == Errc::closed)
        return "See whether the host runs; started again it prints a new code. With --key this waits for it.";
      if (is_loss(code)) return "Start it again; with --key it comes back by itself.";
      return "";
  }
  return "";
}

}  // namespace sluice::cli
