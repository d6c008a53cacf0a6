// SPDX-License-Identifier: Apache-2.0
// gRPC's framing, time-outs and status messages as bytes.
#include "wire/grpc.hpp"

#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::wire {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> read_in_pieces(std::string_view bytes, std::size_t piece) {
  MessageReader reader(1 << 20);
  std::vector<std::string> messages;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    EXPECT_TRUE(reader
                    .feed(bytes.substr(at, piece),
                          [&](std::string framed) { messages.emplace_back(payload(framed)); })
                    .ok());
  }
  EXPECT_TRUE(reader.at_boundary());
  return messages;
}

TEST(MessageReader, FindsMessagesHoweverTheBytesAreCut) {
  const std::string bytes = frame("one") + frame("") + frame(std::string(1000, 'x'));

  for (const std::size_t piece : {1u, 2u, 4u, 5u, 6u, 7u, 100u, 2000u}) {
    EXPECT_THAT(read_in_pieces(bytes, piece), ElementsAre("one", "", std::string(1000, 'x')))
        << piece;
  }
}

TEST(MessageReader, KeepsThePrefixSoThatAMessageCanGoOnAsItIs) {
  MessageReader reader(100);
  std::string seen;

  ASSERT_TRUE(reader.feed(frame("abc"), [&](std::string framed) { seen = framed; }).ok());

  EXPECT_EQ(seen, frame("abc"));
}

TEST(MessageReader, RefusesALengthBeyondTheLimitBeforeAnyOfItArrived) {
  MessageReader reader(1 << 20);

  const absl::Status status =
      reader.feed(std::string_view("\0\x40\0\0\0", 5), [](std::string) { FAIL(); });

  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("1073741824 bytes"));
}

TEST(MessageReader, RefusesACompressedMessageOfAStreamWithoutCompression) {
  MessageReader reader(100);

  EXPECT_EQ(reader.feed(std::string_view("\1\0\0\0\1x", 6), [](std::string) {}).code(),
            absl::StatusCode::kInternal);
}

TEST(MessageReader, RefusesAnImpossibleFlag) {
  MessageReader reader(100);

  EXPECT_THAT(std::string(reader.feed("GET / HTTP/1.1", [](std::string) {}).message()),
              HasSubstr("first byte is 71"));
}

TEST(MessageReader, KnowsThatItStandsInTheMiddleOfAMessage) {
  MessageReader reader(100);

  ASSERT_TRUE(reader.feed(std::string_view("\0\0\0", 3), [](std::string) { FAIL(); }).ok());

  EXPECT_FALSE(reader.at_boundary());
}

TEST(Timeout, IsReadInEveryUnit) {
  EXPECT_EQ(parse_timeout("2H"), 2h);
  EXPECT_EQ(parse_timeout("3M"), 3min);
  EXPECT_EQ(parse_timeout("4S"), 4s);
  EXPECT_EQ(parse_timeout("5m"), 5ms);
  EXPECT_EQ(parse_timeout("6u"), 6us);
  EXPECT_EQ(parse_timeout("7n"), 7ns);
  EXPECT_EQ(parse_timeout("99999999m"), 99999999ms);
}

TEST(Timeout, OfCenturiesDoesNotOverflow) { EXPECT_GT(*parse_timeout("99999999H"), 1000h); }

TEST(Timeout, ThatIsNoneIsNotTakenForOne) {
  for (const char* text : {"", "5", "m", "5x", "-5m", "+5m", "5 m", "123456789m", "0x5m", "5ms"}) {
    EXPECT_EQ(parse_timeout(text), std::nullopt) << text;
  }
}

TEST(Timeout, IsNeverWrittenAsZeroOrWithMoreThanEightDigits) {
  EXPECT_EQ(format_timeout(-5s), "1n");
  EXPECT_EQ(format_timeout(0s), "1n");
  std::mt19937_64 random(7);
  for (int i = 0; i < 10'000; ++i) {
    const auto timeout =
        std::chrono::nanoseconds(static_cast<std::int64_t>(random() >> (1 + random() % 62)));
    const std::string text = format_timeout(timeout);
    EXPECT_LE(text.size(), 9u) << text;
    EXPECT_NE(text[0], '0') << text;
  }
}

TEST(Timeout, ComesBackAlmostAsItWasWritten) {
  for (const auto timeout : {1ns, 999ns, 5000ns, 999'999ns, 5'000'000ns, 10'000'000'000ns}) {
    const auto back = *parse_timeout(format_timeout(timeout));
    EXPECT_GE(back, timeout);
    EXPECT_LE(back, timeout + timeout / 500 + 1ns);
  }
}

TEST(StatusMessage, IsPercentEncodedAndBack) {
  const std::string text = "50% of \"é\"\nis\ttoo much\x7f";

  const std::string encoded = encode_message(text);

  EXPECT_EQ(encoded, "50%25 of \"%C3%A9\"%0Ais%09too much%7F");
  EXPECT_EQ(decode_message(encoded), text);
}

TEST(StatusMessage, ThatIsBadlyEncodedIsTakenAsItStands) {
  EXPECT_EQ(decode_message("100%"), "100%");
  EXPECT_EQ(decode_message("%4"), "%4");
  EXPECT_EQ(decode_message("%zz!"), "%zz!");
}

}  // namespace
}  // namespace flow::wire
