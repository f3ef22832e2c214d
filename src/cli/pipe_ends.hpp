#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "core/bytes.hpp"
#include "core/error.hpp"

/// A command's standard input and output, as a coroutine reads and writes them without holding up its shard.
/// The descriptor's mode stays as it is, since other processes share it, and it is not closed.
namespace sluice::cli {

/// Lines as they come, without their ends; the last one need not have one. Bounded: one line.
class LineReader {
 public:
  LineReader(const boost::asio::any_io_executor& executor, int descriptor, Bytes longest);

  /// Nothing at the end. Errors: `limit_exceeded` (a line that is too long; the next call goes on behind it),
  /// `io`. Throws when cancelled.
  boost::asio::awaitable<Result<std::optional<std::string>>> next();

 private:
  boost::asio::posix::stream_descriptor descriptor_;
  Bytes longest_;
  std::string unread_;
  std::size_t taken_ = 0;     ///< So much of it has been returned.
  std::size_t searched_ = 0;  ///< So far there is no end of a line.
  bool skipping_ = false;     ///< The rest of a line that was too long is still to come.
  bool ended_ = false;
};

/// Waits for its reader as long as that takes.
class PatientWriter {
 public:
  PatientWriter(const boost::asio::any_io_executor& executor, int descriptor);

  /// False: nobody reads it any more. Throws when cancelled.
  boost::asio::awaitable<bool> write(std::string text);

 private:
  boost::asio::posix::stream_descriptor descriptor_;
};

}  // namespace sluice::cli
