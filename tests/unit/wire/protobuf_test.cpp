// SPDX-License-Identifier: Apache-2.0
// Cutting a protobuf message into its fields without trusting it.
#include "wire/protobuf.hpp"

#include <random>

#include "gtest/gtest.h"
#include "jina.pb.h"

namespace flow::wire {
namespace {

TEST(WireReader, ReadsWhatLibprotobufWrites) {
  jina::HeaderProto header;
  header.set_request_id("abc");
  header.set_timeout(300);
  const std::string bytes = header.SerializeAsString();
  WireReader reader(bytes);

  const auto id = reader.next();
  const auto timeout = reader.next();

  ASSERT_TRUE(id && timeout);
  EXPECT_EQ(id->number, 1u);
  EXPECT_EQ(id->bytes, "abc");
  EXPECT_EQ(timeout->number, 5u);
  EXPECT_EQ(timeout->varint, 300u);
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.malformed());
}

TEST(WireReader, WholeFieldsPutTogetherAreTheMessage) {
  jina::DataRequestProto request;
  request.mutable_header()->set_request_id("id");
  request.mutable_data()->mutable_docs()->add_docs()->set_text("text");
  const std::string bytes = request.SerializeAsString();
  WireReader reader(bytes);
  std::string together;

  while (const auto field = reader.next()) together += field->whole;

  EXPECT_EQ(together, bytes);
}

TEST(WireReader, StopsAtWhatIsNoField) {
  const std::string_view cases[] = {
      {"\x00", 1},  // field number 0
      {"\x0b", 1},  // a group
      {"\x0e", 1},  // wire type 6
      {"\x0a", 1},  // no length
      {"\x0a\x05"
       "ab",
       4},                                                       // length beyond the end
      {"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},      // 2^64 - 1 bytes
      {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12},  // a varint of 11 bytes
      {"\x09\x01\x02", 3},                                       // half a fixed64
      {"\x0d\x01", 2},                                           // half a fixed32
      {"\x80", 1},                                               // half a tag
  };
  for (const std::string_view bytes : cases) {
    WireReader reader(bytes);
    EXPECT_FALSE(reader.next());
    EXPECT_TRUE(reader.malformed());
  }
}

TEST(WireReader, SurvivesRandomBytes) {
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(random() % 40, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    WireReader reader(bytes);
    std::size_t covered = 0;
    while (const auto field = reader.next()) covered += field->whole.size();
    EXPECT_LE(covered, bytes.size());
    EXPECT_EQ(covered == bytes.size(), !reader.malformed());
  }
}

}  // namespace
}  // namespace flow::wire
