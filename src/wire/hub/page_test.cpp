#include <algorithm>
#include <cstddef>
#include <fstream>
#include <google/protobuf/descriptor.h>
#include <iterator>
#include <sluice/v1/envelope.pb.h>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "wire/hub/codec.hpp"

/// What docs/wire/hub.md says can be typed, and names.
namespace sluice::wire::hub {
namespace {

std::string page() {
  std::ifstream file{SLUICE_HUB_PAGE};
  return {std::istreambuf_iterator<char>{file}, {}};
}

TEST(HubPage, ShowsMessagesThatDecode) {
  std::ifstream file{SLUICE_HUB_PAGE};
  int shown = 0;
  for (std::string line; std::getline(file, line);) {
    const std::string_view json = std::string_view{line}.substr(std::min<std::size_t>(2, line.size()));
    if (line.starts_with("> {")) {
      const auto decoded = decode_from_client(Encoding::json, as_bytes(json));
      EXPECT_TRUE(decoded) << line << "\n" << decoded.error().message;
    } else if (line.starts_with("< {")) {
      const auto decoded = decode_from_hub(Encoding::json, as_bytes(json));
      ASSERT_TRUE(decoded) << line << "\n" << decoded.error().message;
      ByteBuffer written;
      append(written, Encoding::json, *decoded);
      EXPECT_EQ(as_text(written), json);  // as a hub writes it
    } else {
      continue;
    }
    ++shown;
  }
  EXPECT_GT(shown, 10);
}

TEST(HubPage, ListsEveryReasonWithItsNumber) {
  const std::string text = page();
  const auto& reasons = *v1::Reason_descriptor();
  for (int i = 0; i < reasons.value_count(); ++i) {
    const auto& reason = *reasons.value(i);
    const std::string row = "| `" + reason.name() + "` | " + std::to_string(reason.number()) + " |";
    EXPECT_NE(text.find(row), std::string::npos) << row;
  }
}

TEST(HubPage, NamesEveryFieldOfTheSchema) {
  const std::string text = page();
  const auto& file = *v1::Envelope::descriptor()->file();
  for (int i = 0; i < file.message_type_count(); ++i) {
    const auto& message = *file.message_type(i);
    for (int field = 0; field < message.field_count(); ++field) {
      const std::string name = message.field(field)->json_name();
      const bool is_there = text.find('`' + name + '`') != std::string::npos ||
                            text.find('"' + name + '"') != std::string::npos;
      EXPECT_TRUE(is_there) << message.name() << "." << name;
    }
  }
}

}  // namespace
}  // namespace sluice::wire::hub
