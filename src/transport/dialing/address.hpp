#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <boost/asio/ip/address.hpp>

/// How every outgoing TCP connection of the program comes about: names are looked up beside each other and
/// cached, addresses are raced.
namespace sluice::dialing {

using Address = boost::asio::ip::address;

enum class Family : std::uint8_t { v6, v4 };

/// A question for one family's addresses of one host name.
struct Question {
  std::string host;
  Family family = Family::v6;
  auto operator<=>(const Question&) const = default;
};

/// What became of a question: addresses in the order in which the system prefers them, or why there are none.
struct Answer {
  enum class Miss : std::uint8_t {
    none,
    not_found,       ///< The name does not exist, or has no address of this family.
    trouble,         ///< No name server answered, or it failed.
    no_descriptors,  ///< This process may open no more descriptors.
  };
  std::vector<Address> addresses{};
  Miss miss = Miss::none;
  std::string text{};  ///< For a person, when something is missing.
};

}  // namespace sluice::dialing
