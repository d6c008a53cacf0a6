// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 requests that are answered later, or in pieces.
#include "core/limits.hpp"
#include "gateway/http1/server_session.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/gateway/fake_front.hpp"

namespace flow::gateway {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Http1LateTest : public testing::Test {
 protected:
  std::string say(std::string_view bytes) {
    last_ = session_.receive(bytes);
    return output_of(session_);
  }
  HttpExchange& exchange() { return *fake_.last_exchange; }

  Loop loop_;
  FakeFront fake_;
  Front front_ = fake_.front();
  FakeOutput output_;
  Http1ServerSession session_{loop_, front_, output_};
  absl::Status last_;
};

TEST_F(Http1LateTest, AnAnswerIsWrittenWhenItComes) {
  EXPECT_EQ(say("GET /late HTTP/1.1\r\n\r\n"), "");
  EXPECT_EQ(fake_.open_exchanges, 1);
  const int signals = output_.signals;

  exchange().respond({.body = "later"});

  EXPECT_GT(output_.signals, signals) << "nobody would come to fetch it";
  EXPECT_THAT(output_of(session_), EndsWith("content-length: 5\r\n\r\nlater"));
  EXPECT_EQ(fake_.open_exchanges, 0);
  EXPECT_THAT(say("GET /next HTTP/1.1\r\n\r\n"), EndsWith("GET /next"));
}

TEST_F(Http1LateTest, RequestsThatWereSentAheadWaitTheirTurn) {
  EXPECT_EQ(say("GET /late HTTP/1.1\r\n\r\nGET /late2 HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\n\r\n"),
            "");
  EXPECT_EQ(fake_.http_requests, 1);

  exchange().respond({.body = "first"});
  EXPECT_THAT(output_of(session_), EndsWith("first"));
  EXPECT_EQ(fake_.http_requests, 2);
  EXPECT_EQ(fake_.open_exchanges, 1);

  exchange().respond({.body = "second"});
  EXPECT_THAT(output_of(session_), testing::AllOf(HasSubstr("second"), EndsWith("GET /c")));
  EXPECT_EQ(fake_.open_exchanges, 0);
}

TEST_F(Http1LateTest, ARequestThatComesAfterTheAnswerAndBeforeItIsFetchedIsTheNextOne) {
  say("GET /late HTTP/1.1\r\n\r\n");
  exchange().respond({.body = "first"});

  EXPECT_THAT(say("GET /b HTTP/1.1\r\n\r\n"),
              testing::AllOf(HasSubstr("first"), EndsWith("GET /b")));
  EXPECT_EQ(fake_.http_requests, 2);
}

TEST_F(Http1LateTest, AClientThatLeavesTakesTheHandlerWithIt) {
  say("GET /late HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n");
  ASSERT_EQ(fake_.open_exchanges, 1);

  session_.disconnected(core::error(absl::StatusCode::kUnavailable, "gone"));

  EXPECT_EQ(fake_.open_exchanges, 0);
  EXPECT_EQ(fake_.http_requests, 1) << "what it sent ahead is for nobody";
}

TEST_F(Http1LateTest, ReadsAheadAndThenNoMore) {
  say("GET /late HTTP/1.1\r\n\r\n");
  EXPECT_FALSE(session_.paused()) << "or we would not hear that the client left";

  say(std::string(2 << 20, 'x'));
  EXPECT_TRUE(session_.paused());
}

TEST_F(Http1LateTest, WhoIsBeingAnsweredIsNotTimedOut) {
  say("GET /late HTTP/1.1\r\n\r\nGET /ha");

  EXPECT_TRUE(session_.sweep(Clock::now() + 24h).ok());
  exchange().respond({.body = "late"});
  EXPECT_THAT(output_of(session_), EndsWith("late"));
}

TEST_F(Http1LateTest, ADrainWaitsForTheAnswerAndSaysThatItIsTheLast) {
  say("GET /late HTTP/1.1\r\n\r\n");
  session_.drain();
  EXPECT_EQ(output_of(session_), "");
  EXPECT_FALSE(session_.finished());

  exchange().respond({.body = "last"});

  EXPECT_THAT(output_of(session_), HasSubstr("connection: close\r\n"));
  EXPECT_TRUE(session_.finished());
}

TEST_F(Http1LateTest, AnAnswerInPiecesIsChunked) {
  say("GET /late HTTP/1.1\r\n\r\n");
  exchange().start({.body = "one", .content_type = "text/event-stream"});
  EXPECT_EQ(
      output_of(session_),
      "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
      "3\r\none\r\n");

  exchange().send("");
  exchange().send("0123456789abcdef");
  EXPECT_EQ(output_of(session_), "10\r\n0123456789abcdef\r\n");

  exchange().end();
  EXPECT_EQ(output_of(session_), "0\r\n\r\n");
  EXPECT_EQ(fake_.open_exchanges, 0);
  EXPECT_THAT(say("GET /next HTTP/1.1\r\n\r\n"), EndsWith("GET /next"));
}

TEST_F(Http1LateTest, AnAnswerThatHasBegunWithoutAPieceIsWritten) {
  say("GET /late HTTP/1.1\r\n\r\n");
  const int signals = output_.signals;
  exchange().start({});

  EXPECT_GT(output_.signals, signals);
  EXPECT_THAT(output_of(session_), EndsWith("transfer-encoding: chunked\r\n\r\n"));
}

TEST_F(Http1LateTest, AnAnswerInPiecesToAnHttp10ClientEndsWithTheConnection) {
  say("GET /late HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
  exchange().start({.body = "one"});
  exchange().send("two");
  exchange().end();

  const std::string answer = output_of(session_);
  EXPECT_THAT(answer, EndsWith("connection: close\r\n\r\nonetwo"));
  EXPECT_THAT(answer, Not(HasSubstr("chunked")));
  EXPECT_TRUE(session_.finished());
}

TEST_F(Http1LateTest, AnAnswerInPiecesToHeadHasNone) {
  say("HEAD /late HTTP/1.1\r\n\r\n");
  exchange().start({.body = "one"});
  exchange().send("two");
  exchange().end();

  EXPECT_THAT(output_of(session_), EndsWith("transfer-encoding: chunked\r\n\r\n"));
}

TEST_F(Http1LateTest, TheHandlerHearsThatItsPiecesAreTaken) {
  say("GET /late HTTP/1.1\r\n\r\n");
  exchange().start({});
  exchange().send(std::string(300'000, 'x'));
  EXPECT_GE(exchange().unsent(), 300'000u);
  EXPECT_EQ(fake_.pieces_sent, 0);

  std::string part;
  session_.produce(part, 100'000);
  EXPECT_EQ(part.size(), 100'000u);
  EXPECT_EQ(fake_.pieces_sent, 1);
  EXPECT_GE(exchange().unsent(), 200'000u);
  EXPECT_LE(loop_.budget().used(), 200'100u);

  output_of(session_);
  EXPECT_EQ(exchange().unsent(), 0u);
  EXPECT_EQ(loop_.budget().used(), 0u);
}

TEST_F(Http1LateTest, AnAnswerWithoutABodySaysNothingOfItsLength) {
  say("GET /late HTTP/1.1\r\n\r\n");
  exchange().respond({.status = 304, .content_type = {}, .headers = {{"etag", "\"x\""}}});

  EXPECT_EQ(output_of(session_), "HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\n\r\n");
}

TEST_F(Http1LateTest, AnAnswerForWhichThereIsNoRoomIs503) {
  say("GET /late HTTP/1.1\r\n\r\n");
  BufferBudget::Lease others;
  ASSERT_TRUE(others.grow(loop_.budget(), loop_.budget().left() - 1000));

  exchange().respond({.body = std::string(10'000, 'x')});

  EXPECT_THAT(output_of(session_), StartsWith("HTTP/1.1 503 "));
}

TEST_F(Http1LateTest, PiecesForWhichThereIsNoRoomBreakTheAnswerOff) {
  say("GET /late HTTP/1.1\r\n\r\n");
  exchange().start({});
  BufferBudget::Lease others;
  ASSERT_TRUE(others.grow(loop_.budget(), loop_.budget().left() - 1000));

  exchange().send(std::string(10'000, 'x'));

  EXPECT_THAT(output_of(session_), Not(EndsWith("0\r\n\r\n")));
  EXPECT_TRUE(session_.finished());
  EXPECT_EQ(fake_.open_exchanges, 0);
}

}  // namespace
}  // namespace flow::gateway
