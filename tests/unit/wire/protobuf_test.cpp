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

TEST(OpenField, HasTheLengthOfItsContentWhateverWasGuessed) {
  for (const std::size_t guess : {0, 127, 128, 20'000, 3'000'000}) {
    for (const std::size_t size : {0, 1, 127, 128, 16'383, 16'384, 2'097'152}) {
      const std::string content(size, 'x');
      std::string expected = "before";
      append_bytes_field(expected, 20, content);

      std::string out = "before";
      const OpenField field = open_field(out, 20, guess);
      out += content;
      close_field(out, field);

      EXPECT_EQ(out, expected) << guess << " guessed for " << size;
    }
  }
}

TEST(OpenField, MayBeInsideAnother) {
  std::string inner;
  append_bytes_field(inner, 2, std::string(200, 'x'));
  std::string expected;
  append_bytes_field(expected, 1, inner);

  std::string out;
  const OpenField outside = open_field(out, 1);
  const OpenField inside = open_field(out, 2);
  out.append(200, 'x');
  close_field(out, inside);
  close_field(out, outside);

  EXPECT_EQ(out, expected);
}

TEST(FixedFields, AreReadAsTheyWereWritten) {
  std::string out;
  append_float_field(out, 1, -1.5F);
  append_double_field(out, 20, 1e300);

  WireReader reader(out);
  EXPECT_EQ(float_value(reader.next()->bytes), -1.5F);
  EXPECT_EQ(double_value(reader.next()->bytes), 1e300);
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.malformed());
}

TEST(TakeVarint, RemovesOneFromTheFront) {
  std::string_view bytes("\x96\x01\x05\x80", 4);

  EXPECT_EQ(take_varint(bytes), 150u);
  EXPECT_EQ(take_varint(bytes), 5u);
  EXPECT_EQ(take_varint(bytes), std::nullopt);
}

}  // namespace
}  // namespace flow::wire
