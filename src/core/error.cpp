#include "core/error.hpp"

namespace sluice {

std::string_view name_of(Errc code) {
  switch (code) {
    case Errc::invalid_argument:
      return "invalid_argument";
    case Errc::malformed:
      return "malformed";
    case Errc::protocol_violation:
      return "protocol_violation";
    case Errc::limit_exceeded:
      return "limit_exceeded";
    case Errc::cancelled:
      return "cancelled";
    case Errc::timed_out:
      return "timed_out";
    case Errc::stalled:
      return "stalled";
    case Errc::closed:
      return "closed";
    case Errc::link_lost:
      return "link_lost";
    case Errc::refused:
      return "refused";
    case Errc::not_found:
      return "not_found";
    case Errc::busy:
      return "busy";
    case Errc::wrong_code:
      return "wrong_code";
    case Errc::unreachable:
      return "unreachable";
    case Errc::permission_denied:
      return "permission_denied";
    case Errc::address_in_use:
      return "address_in_use";
    case Errc::io:
      return "io";
    case Errc::unsupported:
      return "unsupported";
  }
  return "unknown";
}

Error Error::as_cause_of(Errc outer, std::string sentence) && {
  return {.code = outer,
          .message = std::move(sentence),
          .cause = std::make_shared<const Error>(std::move(*this))};
}

std::string describe(const Error& error) {
  std::string text = error.message;
  for (const Error* cause = error.cause.get(); cause != nullptr; cause = cause->cause.get()) {
    text += ": ";
    text += cause->message;
  }
  return text;
}

}  // namespace sluice
