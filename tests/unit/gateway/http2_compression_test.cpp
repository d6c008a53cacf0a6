// SPDX-License-Identifier: Apache-2.0
// Compressed messages of a call, and answers as its caller likes them.
#include "core/limits.hpp"
#include "gmock/gmock.h"
#include "tests/unit/gateway/http2_support.hpp"
#include "wire/compression.hpp"

namespace flow::gateway {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;
namespace limits = core::limits;

// What grpc-status a stream ended with, as a header field stands in its block.
constexpr std::string_view kInternal =
                               "\x02"
                               "13",
                           kUnimplemented =
                               "\x02"
                               "12",
                           kExhausted =
                               "\x01"
                               "8";

class CompressedTest : public Http2WireTest {
 protected:
  void open(std::string_view path, std::string_view encoding, std::string_view accept = "") {
    std::string block = grpc_header(path);
    if (!encoding.empty()) block += literal("grpc-encoding", encoding);
    if (!accept.empty()) block += literal("grpc-accept-encoding", accept);
    ASSERT_TRUE(say(start() + frame_bytes(kHeaders, kEndHeaders, 1, block)).ok());
  }
  void send(const std::string& message, int flags = kEndStream) {
    ASSERT_TRUE(say(frame_bytes(kData, flags, 1, message)).ok());
  }
  // Until the slices of what is inflated are done.
  std::string run() {
    std::string heard = output_of(server_);
    loop_.io().restart();
    loop_.io().run_for(10s);  // returns when there is no more to do
    return heard + output_of(server_);
  }
  static std::string zeros(std::size_t size) {
    return wire::compress(wire::frame(std::string(size, '\0')), wire::Encoding::Gzip);
  }
};

TEST_F(CompressedTest, AMessageIsInflatedBeforeItsMethodSeesIt) {
  fake_.wanted = 2;
  open("/picky", "gzip");
  send(zeros(900'000), kNone);
  send(wire::frame("plain"), kNone);
  run();
  EXPECT_THAT(fake_.taken, testing::ElementsAre(std::string(900'000, '\0'), "plain"));
  EXPECT_EQ(loop_.budget().used(), 0u);
}

TEST_F(CompressedTest, TheEndIsToldAfterAMessageThatTakesItsTime) {
  fake_.wanted = 1;
  open("/picky", "gzip");
  send(zeros(900'000), kEndStream);
  EXPECT_EQ(fake_.ends_told, 0);
  run();
  EXPECT_EQ(fake_.ends_told, 1);
  EXPECT_EQ(fake_.taken.size(), 1u);
}

TEST_F(CompressedTest, WhatIsInflatedCountsAsHeld) {
  open("/silent", "gzip");
  send(zeros(900'000), kNone);
  run();
  EXPECT_GT(loop_.budget().used(), 900'000u);
  EXPECT_LT(loop_.budget().used(), 901'000u);
}

TEST_F(CompressedTest, ABombIsRefusedWithinTheLimit) {
  open("/echo", "gzip");  // the front's limit is 1 MiB
  std::string bomb = zeros(1 << 20);
  // Two of it in one gzip stream would need zlib; its limit minus one byte will do.
  front_.message_max = (1 << 20) - 1;
  send(bomb);
  EXPECT_THAT(run(), HasSubstr(kExhausted));
  EXPECT_EQ(loop_.budget().used(), 0u);
}

TEST_F(CompressedTest, AStreamThatEndsInTheMiddleOfASliceLeavesNothing) {
  open("/echo", "gzip");
  send(zeros(900'000), kNone);
  ASSERT_TRUE(say(frame_bytes(kReset, 0, 1, std::string("\0\0\0\x8", 4))).ok());
  run();
  EXPECT_EQ(fake_.open_calls, 0);
  EXPECT_EQ(loop_.budget().used(), 0u);
}

TEST_F(CompressedTest, BadDataIsInternalAndEndsTheCall) {
  open("/echo", "gzip");
  std::string bad = wire::frame("this was never compressed");
  bad[0] = 1;
  send(bad);
  EXPECT_THAT(run(), HasSubstr(kInternal));
}

TEST_F(CompressedTest, TheFlagWithoutAnEncodingIsInternal) {
  for (const std::string_view encoding : {"", "identity"}) {
    Http2ServerSession server(loop_, front_, output_);
    std::string block = grpc_header("/echo");
    if (!encoding.empty()) block += literal("grpc-encoding", encoding);
    ASSERT_TRUE(server
                    .receive(start() + frame_bytes(kHeaders, kEndHeaders, 1, block) +
                             frame_bytes(kData, kEndStream, 1, zeros(5000)))
                    .ok());
    EXPECT_THAT(output_of(server), HasSubstr(kInternal));
  }
}

TEST_F(CompressedTest, AnUnknownEncodingIsUnimplemented) {
  open("/echo", "snappy");
  send(wire::frame("x"));
  EXPECT_THAT(run(), HasSubstr(kUnimplemented));
}

TEST_F(CompressedTest, AnswersAreCompressedAsTheRequestWasIfThatIsAccepted) {
  const std::string text(10'000, 'x');
  struct Case {
    std::string_view encoding, accept;
    bool compressed;
  };
  for (const Case& c : {Case{"gzip", "identity, gzip", true}, Case{"deflate", "deflate", true},
                        Case{"gzip", "identity", false}, Case{"gzip", "", false},
                        Case{"gzip", "deflate", false}, Case{"", "gzip", false}}) {
    Http2ServerSession server(loop_, front_, output_);
    std::string block = grpc_header("/echo");
    if (!c.encoding.empty()) block += literal("grpc-encoding", c.encoding);
    if (!c.accept.empty()) block += literal("grpc-accept-encoding", c.accept);
    ASSERT_TRUE(server
                    .receive(start() + frame_bytes(kHeaders, kEndHeaders, 1, block) +
                             frame_bytes(kData, kEndStream, 1, wire::frame(text)))
                    .ok());
    const std::string answer = output_of(server);
    EXPECT_EQ(answer.size() < 1'000, c.compressed) << c.encoding << " / " << c.accept;
  }
}

}  // namespace
}  // namespace flow::gateway
