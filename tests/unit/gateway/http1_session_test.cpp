// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 as bytes in and bytes out.
#include "gateway/http1/server_session.hpp"

#include <random>

#include "core/limits.hpp"
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

class Http1Test : public testing::Test {
 protected:
  std::string say(std::string_view bytes) {
    last_ = session_.receive(bytes);
    return output_of(session_);
  }

  Loop loop_;
  FakeFront fake_;
  Front front_ = fake_.front();
  FakeOutput output_;
  Http1ServerSession session_{loop_, front_, output_};
  absl::Status last_;
};

TEST_F(Http1Test, AnswersARequestAndKeepsTheConnection) {
  EXPECT_EQ(say("GET /dry_run HTTP/1.1\r\nhost: x\r\n\r\n"),
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 12\r\n\r\n"
            "GET /dry_run");
  EXPECT_FALSE(session_.finished());
  EXPECT_THAT(say("GET /missing HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 404 Not Found\r\n"));
}

TEST_F(Http1Test, AnswersARequestThatComesByteByByte) {
  std::string answer;
  for (const char byte : std::string_view("GET / HTTP/1.1\r\nhost: x\r\n\r\n")) {
    answer += say({&byte, 1});
  }
  EXPECT_THAT(answer, EndsWith("\r\n\r\nGET /"));
}

TEST_F(Http1Test, AnswersPipelinedRequestsInOrder) {
  const std::string answer = say("GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\nGET /c HT");

  EXPECT_LT(answer.find("GET /a"), answer.find("GET /b"));
  EXPECT_EQ(fake_.http_requests, 2);
  EXPECT_THAT(say("TP/1.1\r\n\r\n"), EndsWith("GET /c"));
}

TEST_F(Http1Test, WhoAsksAndDoesNotReadIsAnsweredSoMuchAndThenReadNoMore) {
  std::string many;
  for (int i = 0; i < 2000; ++i) many += "GET /readyz HTTP/1.1\r\n\r\n";
  int rounds = 0;
  for (; rounds < 100 && !session_.paused(); ++rounds) ASSERT_TRUE(session_.receive(many).ok());
  EXPECT_LT(rounds, 50);
  EXPECT_LT(fake_.http_requests, 10'000) << "each has an answer of some 90 bytes";
  // It takes its time, and that is not ours to complain of here.
  ASSERT_TRUE(session_.sweep(Clock::now() + 1h).ok());

  const std::string answers = output_of(session_);
  EXPECT_EQ(fake_.http_requests, 2000 * rounds);
  EXPECT_FALSE(session_.paused());
  EXPECT_THAT(answers, Not(HasSubstr(" 408 ")));
}

TEST_F(Http1Test, ReadsPastABody) {
  EXPECT_EQ(fake_.http_requests, 0);
  say("POST /a HTTP/1.1\r\ncontent-length: 5\r\n\r\nhel");
  EXPECT_EQ(fake_.http_requests, 0);
  EXPECT_THAT(say("loGET /b HTTP/1.1\r\n\r\n"), EndsWith("GET /b"));
  EXPECT_EQ(fake_.http_requests, 2);
}

TEST_F(Http1Test, EndsWhenTheClientWantsItTo) {
  EXPECT_THAT(say("GET / HTTP/1.1\r\nconnection: close\r\n\r\n"), HasSubstr("connection: close"));
  EXPECT_TRUE(session_.finished());
}

TEST_F(Http1Test, EndsAfterAnHttp10Request) {
  say("GET / HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(session_.finished());
}

TEST_F(Http1Test, KeepsTheConnectionOfAnHttp10ClientThatAsksForIt) {
  EXPECT_THAT(say("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n"),
              HasSubstr("connection: keep-alive\r\n"));
  EXPECT_FALSE(session_.finished());
}

TEST_F(Http1Test, TakesATargetThatNamesOurHost) {
  EXPECT_THAT(say("GET http://x:1/path?q HTTP/1.1\r\n\r\n"), EndsWith("GET /path?q"));
  EXPECT_THAT(say("GET HTTPS://x/path HTTP/1.1\r\n\r\n"), EndsWith("GET /path"));
  EXPECT_THAT(say("GET http://x HTTP/1.1\r\n\r\n"), EndsWith("GET /"));
  EXPECT_THAT(say("GET /http://x/y HTTP/1.1\r\n\r\n"), EndsWith("GET /http://x/y"));
}

TEST_F(Http1Test, TellsAClientThatWaitsToSendItsBody) {
  EXPECT_EQ(say("POST /a HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"),
            "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_THAT(say("hi"), EndsWith("POST /a hi"));
}

TEST_F(Http1Test, DoesNotAskForABodyThatItWillNotTake) {
  const std::string answer =
      say("POST /a HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2000000\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 413 "));
}

TEST_F(Http1Test, SaysNothingBetweenToAnHttp10Client) {
  EXPECT_EQ(say("POST /a HTTP/1.0\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"), "");
}

TEST_F(Http1Test, PutsAChunkedBodyTogether) {
  EXPECT_EQ(say("POST /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel"), "");
  EXPECT_THAT(say("\r\n2;ext=1\r\nlo\r\n0\r\ntrailer: x\r\n\r\n"), EndsWith("POST /a hello"));
}

TEST_F(Http1Test, RefusesAChunkedBodyBeyondTheLimit) {
  say("POST /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n");
  EXPECT_THAT(say("ffffff\r\n"), StartsWith("HTTP/1.1 413 "));
}

TEST_F(Http1Test, RefusesALineInABodyThatNeverEnds) {
  for (const std::string_view start : {"5;", "0\r\na: "}) {
    Http1ServerSession session(loop_, front_, output_);
    absl::Status status = session.receive("POST /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n");
    status.Update(session.receive(start));
    for (int i = 0; i < 100 && status.ok(); ++i) status = session.receive(std::string(1000, 'x'));
    EXPECT_THAT(output_of(session), StartsWith("HTTP/1.1 400 ")) << start;
  }
}

TEST_F(Http1Test, TimesOutABodyThatFallsSilent) {
  say("POST /a HTTP/1.1\r\ncontent-length: 5\r\n\r\nhe");

  EXPECT_TRUE(session_.sweep(Clock::now() + core::limits::kHeaderTimeout + 1s).ok());
  EXPECT_FALSE(session_.sweep(Clock::now() + core::limits::kStallTimeout + 1s).ok());
  EXPECT_THAT(output_of(session_), StartsWith("HTTP/1.1 408 "));
}

TEST_F(Http1Test, DoesNotAnswerFasterThanItsClientReads) {
  std::string requests;
  for (int i = 0; i < 20; ++i) {
    requests += "POST /a HTTP/1.1\r\ncontent-length: 100000\r\n\r\n" + std::string(100'000, 'x');
  }
  ASSERT_TRUE(session_.receive(requests).ok());

  EXPECT_LE(fake_.http_requests, 3);
  EXPECT_TRUE(session_.paused());
  const std::string answers = output_of(session_);
  EXPECT_EQ(fake_.http_requests, 20);
  EXPECT_FALSE(session_.paused());
  EXPECT_GT(answers.size(), 2'000'000u);
  EXPECT_EQ(loop_.budget().used(), 0u);
}

TEST_F(Http1Test, CountsWhatItHoldsUntilItIsTaken) {
  ASSERT_TRUE(session_.receive("POST /a HTTP/1.1\r\ncontent-length: 6000\r\n\r\n").ok());
  ASSERT_TRUE(session_.receive(std::string(5000, 'x')).ok());
  EXPECT_GE(loop_.budget().used(), 5000u);

  ASSERT_TRUE(session_.receive(std::string(1000, 'x')).ok());
  EXPECT_GE(loop_.budget().used(), 6000u) << "the answer";
  output_of(session_);
  EXPECT_EQ(loop_.budget().used(), 0u);
}

TEST_F(Http1Test, RefusesABodyWhenThereIsNoRoom) {
  BufferBudget::Lease others;
  ASSERT_TRUE(others.grow(loop_.budget(), loop_.budget().left() - 100));

  EXPECT_THAT(say("POST /a HTTP/1.1\r\ncontent-length: 6000\r\n\r\n" + std::string(500, 'x')),
              StartsWith("HTTP/1.1 503 "));
  EXPECT_TRUE(session_.finished());
}

TEST_F(Http1Test, AnswersHeadWithoutABody) {
  EXPECT_THAT(say("HEAD / HTTP/1.1\r\n\r\n"), EndsWith("content-length: 6\r\n\r\n"));
}

TEST_F(Http1Test, RefusesAHeaderBeyondTheLimit) {
  const std::string answer =
      say("GET / HTTP/1.1\r\nx: " + std::string(core::limits::kHeaderBytesMax, 'x') + "\r\n\r\n");

  EXPECT_THAT(answer, StartsWith("HTTP/1.1 431 "));
  EXPECT_FALSE(last_.ok());
}

TEST_F(Http1Test, RefusesALineWithoutAnEnd) {
  std::string answer = say("GET /" + std::string(core::limits::kHeaderBytesMax, 'x'));
  answer += say(std::string(core::limits::kHeaderBytesMax, 'x'));

  EXPECT_THAT(answer, StartsWith("HTTP/1.1 431 "));
}

TEST_F(Http1Test, RefusesABodyBeyondTheLimit) {
  EXPECT_THAT(say("POST / HTTP/1.1\r\ncontent-length: 1073741824\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
}

TEST_F(Http1Test, RefusesWhatIsNoRequest) {
  for (const char* bytes :
       {"hello\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\x16\x03\x01\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n", "POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n"}) {
    Http1ServerSession session(loop_, front_, output_);
    EXPECT_FALSE(session.receive(bytes).ok()) << bytes;
    EXPECT_THAT(output_of(session), StartsWith("HTTP/1.1 400 Bad Request\r\n")) << bytes;
    EXPECT_TRUE(session.finished());
  }
  EXPECT_EQ(fake_.http_requests, 0);
}

TEST_F(Http1Test, SaysNothingMoreAfterARefusal) {
  say("nonsense\r\n\r\n");
  EXPECT_EQ(say("GET / HTTP/1.1\r\n\r\n"), "");
}

TEST_F(Http1Test, TimesOutAHalfRequest) {
  say("GET / HT");

  EXPECT_TRUE(session_.sweep(Clock::now() + 1s).ok());
  EXPECT_FALSE(session_.sweep(Clock::now() + core::limits::kHeaderTimeout + 1s).ok());
  EXPECT_THAT(output_of(session_), StartsWith("HTTP/1.1 408 "));
}

TEST_F(Http1Test, HangsUpOnAnIdleConnectionWithoutAWord) {
  say("GET / HTTP/1.1\r\n\r\n");

  EXPECT_TRUE(session_.sweep(Clock::now() + core::limits::kHeaderTimeout + 1s).ok());
  EXPECT_FALSE(session_.finished());
  EXPECT_TRUE(session_.sweep(Clock::now() + core::limits::kKeepAliveIdle + 1s).ok());
  EXPECT_TRUE(session_.finished());
  EXPECT_EQ(output_of(session_), "");
}

TEST_F(Http1Test, ADrainLetsARequestThatHasBegunBeAnswered) {
  say("GET / HT");
  session_.drain();
  EXPECT_FALSE(session_.finished());

  EXPECT_THAT(say("TP/1.1\r\n\r\n"), HasSubstr("connection: close"));
  EXPECT_TRUE(session_.finished());
}

TEST_F(Http1Test, ADrainLetsARequestBeAnsweredWhoseFirstLineIsRead) {
  say("GET / HTTP/1.1\r\n");
  session_.drain();
  EXPECT_FALSE(session_.finished());

  EXPECT_THAT(say("\r\n"), HasSubstr("connection: close"));
  EXPECT_TRUE(session_.finished());
}

TEST_F(Http1Test, NeverTakesABodyForTheNextRequest) {
  // Each of these could hide a request from a proxy that reads the length in another way.
  for (const char* header :
       {"transfer-encoding: chunked\r\ncontent-length: 4\r\n",
        "content-length: 4\r\ntransfer-encoding: chunked\r\n", "transfer-encoding: xchunked\r\n",
        "transfer-encoding: identity\r\n", "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: gzip\r\ncontent-length: 4\r\n", "content-length : 4\r\n",
        "content-length: +4\r\n", "content-length: 4, 5\r\n", "content-length: 0x4\r\n",
        "transfer-encoding:\n chunked\r\n", "transfer-encoding\r\n: chunked\r\n"}) {
    Http1ServerSession session(loop_, front_, output_);
    (void)session.receive(std::string("POST / HTTP/1.1\r\n") + header +
                          "\r\nGET /hidden HTTP/1.1\r\n\r\n");
    const std::string answer = output_of(session);
    EXPECT_THAT(answer, testing::Not(HasSubstr("/hidden"))) << header;
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400")) << header;
  }
}

TEST_F(Http1Test, SurvivesMutation) {
  const std::string good =
      "POST /path?query HTTP/1.1\r\nhost: x\r\ntransfer-encoding: "
      "chunked\r\n\r\n5\r\nhello\r\n0\r\n"
      "\r\nGET / HTTP/1.1\r\n\r\n";
  std::mt19937 random(5);
  for (int round = 0; round < 5'000; ++round) {
    std::string bytes = good;
    for (int i = 0; i < 3; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
    Http1ServerSession session(loop_, front_, output_);
    const std::size_t cut = random() % bytes.size();
    if (session.receive(bytes.substr(0, cut)).ok()) (void)session.receive(bytes.substr(cut));
    output_of(session);
  }
}

}  // namespace
}  // namespace flow::gateway
