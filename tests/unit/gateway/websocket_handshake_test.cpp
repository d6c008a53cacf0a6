// SPDX-License-Identifier: Apache-2.0
// From an HTTP/1.1 request to a WebSocket, on the connection of both.
#include "gateway/websocket/handshake.hpp"

#include "fmt/format.h"
#include "gateway/front/detecting_session.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/gateway/fake_front.hpp"
#include "tests/unit/gateway/fake_websockets.hpp"

namespace flow::gateway {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";

class HandshakeTest : public testing::Test {
 protected:
  std::string say(std::string_view bytes) {
    last_ = session_.receive(bytes);
    return output_of(session_);
  }

  static std::string request(std::string_view path, std::string_view more = "",
                             std::string_view method = "GET") {
    return fmt::format(
        "{} {} HTTP/1.1\r\nhost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
        "sec-websocket-key: {}\r\nsec-websocket-version: 13\r\n{}\r\n",
        method, path, kKey, more);
  }

  Loop loop_;
  FakeFront fake_;
  FakeWebSockets websockets_;
  Front front_{fake_, fake_, 1 << 20, &websockets_};
  FakeOutput output_;
  DetectingSession session_{loop_, front_, output_};
  absl::Status last_;
};

TEST_F(HandshakeTest, AcceptsWithTheAnswerToTheKeyOfTheRfc) {
  EXPECT_EQ(say(request("/echo")),
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
            "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
  EXPECT_EQ(websockets_.open_sockets, 1);
}

TEST_F(HandshakeTest, LooksAtThePathWithoutItsQuery) {
  EXPECT_THAT(say(request("/echo?token=1")), StartsWith("HTTP/1.1 101 "));
}

TEST_F(HandshakeTest, AgreesOnTheFirstSubProtocolOfTheClientThatItKnows) {
  EXPECT_THAT(say(request("/echo", "sec-websocket-protocol: mqtt, bytes ,json\r\n")),
              HasSubstr("sec-websocket-protocol: bytes\r\n"));
  EXPECT_EQ(websockets_.sub_protocol, "bytes");
}

TEST_F(HandshakeTest, ReadsSubProtocolsThatComeInSeveralFields) {
  EXPECT_THAT(
      say(request("/echo", "sec-websocket-protocol: mqtt\r\nsec-websocket-protocol: json\r\n")),
      HasSubstr("sec-websocket-protocol: json\r\n"));
}

TEST_F(HandshakeTest, AgreesOnNoneThatItDoesNotKnow) {
  EXPECT_THAT(say(request("/echo", "sec-websocket-protocol: mqtt, byte, ,bytesx\r\n")),
              Not(HasSubstr("sec-websocket-protocol")));
}

TEST_F(HandshakeTest, DeclinesExtensionsByNotNamingThem) {
  EXPECT_THAT(say(request("/echo", "sec-websocket-extensions: permessage-deflate\r\n")),
              Not(HasSubstr("extensions")));
}

TEST_F(HandshakeTest, SaysWhichVersionItSpeaks) {
  for (const char* version : {"12", "14", "", "x", "13, 13"}) {
    DetectingSession session(loop_, front_, output_);
    (void)session.receive(
        fmt::format("GET /echo HTTP/1.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
                    "sec-websocket-key: {}\r\nsec-websocket-version: {}\r\n\r\n",
                    kKey, version));
    const std::string answer = output_of(session);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 426 ")) << version;
    EXPECT_THAT(answer, HasSubstr("sec-websocket-version: 13\r\n")) << version;
  }
  EXPECT_EQ(websockets_.opened, 0);
}

TEST_F(HandshakeTest, RefusesAKeyThatIsNotSixteenBytes) {
  for (const char* key : {"", "c2hvcnQ=", "not base64 at all!!!", "dGhlIHNhbXBsZSBub25jZSE="}) {
    DetectingSession session(loop_, front_, output_);
    (void)session.receive(
        fmt::format("GET /echo HTTP/1.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
                    "sec-websocket-key: {}\r\nsec-websocket-version: 13\r\n\r\n",
                    key));
    EXPECT_THAT(output_of(session), StartsWith("HTTP/1.1 400 ")) << key;
  }
}

TEST_F(HandshakeTest, IsServedAsHttpWhereThereIsNoWebSocket) {
  EXPECT_THAT(say(request("/missing")), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(say(request("/status")), EndsWith("GET /status"));
}

TEST_F(HandshakeTest, IsServedAsHttpIfItDoesNotAskProperly) {
  EXPECT_THAT(say(request("/echo", "", "HEAD")), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(say("GET /echo HTTP/1.1\r\nupgrade: websocket\r\n\r\n"), EndsWith("GET /echo"));
  EXPECT_THAT(say("GET /echo HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"),
              EndsWith("GET /echo"));
  EXPECT_EQ(websockets_.opened, 0);
}

TEST_F(HandshakeTest, TakesFramesThatComeWithTheRequest) {
  EXPECT_THAT(say(request("/echo") + masked(0x81, "hello")), EndsWith("\r\n\r\n\x81\x05hello"));
}

TEST_F(HandshakeTest, WorksHoweverTheRequestIsCut) {
  const std::string bytes = request("/echo") + masked(0x81, "hello");
  std::string answer;
  for (const char byte : bytes) answer += say({&byte, 1});

  EXPECT_THAT(answer, EndsWith("\r\n\r\n\x81\x05hello"));
}

TEST_F(HandshakeTest, ComesAfterTheAnswersToRequestsBeforeIt) {
  const std::string answer =
      say("GET /first HTTP/1.1\r\n\r\n" + request("/echo") + masked(0x81, "hello"));

  EXPECT_THAT(answer, HasSubstr("GET /firstHTTP/1.1 101 "));
  EXPECT_THAT(answer, EndsWith("\x81\x05hello"));
}

TEST_F(HandshakeTest, WaitsForTheAnswerToALateRequestBeforeIt) {
  EXPECT_THAT(say("GET /late HTTP/1.1\r\n\r\n" + request("/echo") + masked(0x81, "hello")),
              IsEmpty());
  fake_.last_exchange->respond({.body = "late"});

  const std::string answer = output_of(session_);
  EXPECT_THAT(answer, HasSubstr("lateHTTP/1.1 101 "));
  EXPECT_THAT(answer, EndsWith("\x81\x05hello"));
}

TEST_F(HandshakeTest, IsRefusedDuringADrain) {
  say("GET /ec");
  session_.drain();
  EXPECT_THAT(say(request("/echo").substr(7)), StartsWith("HTTP/1.1 503 "));
  EXPECT_TRUE(session_.finished());
}

TEST_F(HandshakeTest, AnIdleWebSocketOutlivesHttpsPatience) {
  say(request("/echo"));
  EXPECT_TRUE(session_.sweep(Clock::now() + std::chrono::seconds(19)).ok());
  EXPECT_FALSE(session_.finished());
}

}  // namespace
}  // namespace flow::gateway
