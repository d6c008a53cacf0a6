// SPDX-License-Identifier: Apache-2.0
// Both ends of an HTTP/2 connection talk to each other in memory: no socket, no thread.
#include <memory>

#include "core/limits.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/gateway/http2_support.hpp"

namespace flow::gateway {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(Http2Test, ACallIsAnsweredWithItsMessageAndStatus) {
  RecordedCall call;
  client_->call(call, "/echo", wire::frame("hello"), 5s);
  exchange();

  EXPECT_THAT(call.replies, ElementsAre("hello"));
  ASSERT_EQ(call.done.size(), 1u);
  EXPECT_TRUE(call.done[0].ok()) << call.done[0];
  EXPECT_EQ(fake_.open_calls, 0) << "a handler ends with its call";
}

TEST_F(Http2Test, ManyCallsShareTheConnection) {
  std::vector<RecordedCall> calls(500);
  for (std::size_t i = 0; i < calls.size(); ++i) {
    client_->call(calls[i], "/echo", wire::frame(std::to_string(i)), std::nullopt);
  }
  exchange();

  for (std::size_t i = 0; i < calls.size(); ++i) {
    EXPECT_THAT(calls[i].replies, ElementsAre(std::to_string(i)));
  }
}

TEST_F(Http2Test, AMessageLargerThanEveryWindowPassesBothWays) {
  make_server(1 << 26);
  std::string large(12 << 20, 'x');
  large.back() = 'y';
  RecordedCall call;
  client_->call(call, "/echo", wire::frame(large), std::nullopt);
  exchange();

  ASSERT_EQ(call.replies.size(), 1u);
  EXPECT_TRUE(call.replies[0] == large);
}

TEST_F(Http2Test, AFailureIsTrailersOnlyAndKeepsItsText) {
  RecordedCall call;
  client_->call(call, "/fail", wire::frame(""), std::nullopt);
  exchange();

  EXPECT_TRUE(call.replies.empty());
  ASSERT_EQ(call.done.size(), 1u);
  EXPECT_EQ(call.done[0].code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(call.done[0].message(), "no such thing: 100 %");
}

TEST_F(Http2Test, AnUnknownMethodIsUnimplementedInTheReferencesWords) {
  RecordedCall call;
  client_->call(call, "/jina.Nothing/at_all", wire::frame(""), std::nullopt);
  exchange();

  ASSERT_EQ(call.done.size(), 1u);
  EXPECT_EQ(call.done[0].code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(call.done[0].message(), "Method not found!");
}

TEST_F(Http2Test, AMessageBeyondTheLimitIsRefusedAndTheConnectionLives) {
  make_server(1000);
  RecordedCall large, small;
  client_->call(large, "/echo", wire::frame(std::string(1001, 'x')), std::nullopt);
  exchange();
  client_->call(small, "/echo", wire::frame("small"), std::nullopt);
  exchange();

  ASSERT_EQ(large.done.size(), 1u);
  EXPECT_EQ(large.done[0].code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(large.done[0].message()), HasSubstr("1001 bytes"));
  EXPECT_THAT(small.replies, ElementsAre("small"));
}

TEST_F(Http2Test, AnAnswerBeyondTheClientsLimitEndsTheCallAlone) {
  client_ = std::make_unique<Http2ClientSession>(client_output_, "localhost", 10, [] {});
  RecordedCall large, small;
  client_->call(large, "/echo", wire::frame("more than ten bytes"), std::nullopt);
  client_->call(small, "/echo", wire::frame("few"), std::nullopt);
  exchange();

  ASSERT_EQ(large.done.size(), 1u);
  EXPECT_EQ(large.done[0].code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(small.replies, ElementsAre("few"));
}

TEST_F(Http2Test, ACallerThatCancelsTakesTheHandlerWithIt) {
  RecordedCall call;
  client_->call(call, "/silent", wire::frame(""), std::nullopt);
  exchange();
  ASSERT_EQ(fake_.open_calls, 1);

  call.cancel();
  exchange();

  EXPECT_EQ(fake_.open_calls, 0);
  EXPECT_TRUE(call.done.empty()) << "who cancels does not want to hear more";
}

TEST_F(Http2Test, ACallThatIsDestroyedBeforeItsFrameIsWrittenIsNotTouched) {
  auto call = std::make_unique<RecordedCall>();
  client_->call(*call, "/echo", wire::frame(std::string(100'000, 'x')), std::nullopt);
  call.reset();
  exchange();

  EXPECT_EQ(fake_.open_calls, 0);
}

TEST_F(Http2Test, ACallThatIsDestroyedHalfWrittenIsNotTouched) {
  exchange();  // settings, so that the server's windows are known
  auto call = std::make_unique<RecordedCall>();
  client_->call(*call, "/silent", wire::frame(std::string(900'000, 'x')), std::nullopt);
  std::string part;
  client_->produce(part, 1000);
  ASSERT_TRUE(server_->receive(part).ok());
  ASSERT_EQ(fake_.open_calls, 1);

  call.reset();
  exchange();

  EXPECT_EQ(fake_.open_calls, 0);
}

TEST_F(Http2Test, ADeadlineEndsTheCallAndItsHandler) {
  RecordedCall call;
  client_->call(call, "/silent", wire::frame(""), 1ms);
  exchange();
  loop_.io().run_for(5s);  // returns when the alarm, the only work there is, has fired
  exchange();

  ASSERT_EQ(call.done.size(), 1u);
  EXPECT_EQ(call.done[0].code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(fake_.open_calls, 0);
}

TEST_F(Http2Test, ALostConnectionIsToldToEveryCallOnce) {
  RecordedCall first, second;
  client_->call(first, "/silent", wire::frame(""), std::nullopt);
  client_->call(second, "/silent", wire::frame(""), std::nullopt);
  exchange();

  client_->disconnected(core::error(absl::StatusCode::kUnavailable, "cut"));
  client_.reset();

  for (const RecordedCall* call : {&first, &second}) {
    ASSERT_EQ(call->done.size(), 1u);
    EXPECT_EQ(call->done[0].message(), "cut");
  }
}

TEST_F(Http2Test, ACallMayEndTheOthersWhenTheConnectionIsLost) {
  auto second = std::make_unique<RecordedCall>();
  RecordedCall first;
  first.then = [&] { second.reset(); };
  second->then = [&] { first.cancel(); };
  client_->call(first, "/silent", wire::frame(""), std::nullopt);
  client_->call(*second, "/silent", wire::frame(""), std::nullopt);

  client_->disconnected(core::error(absl::StatusCode::kUnavailable, "cut"));
}

TEST_F(Http2Test, ANextCallMayStartFromTheEndOfTheOneBefore) {
  RecordedCall second;
  RecordedCall first;
  first.then = [&] { client_->call(second, "/echo", wire::frame("second"), std::nullopt); };
  client_->call(first, "/echo", wire::frame("first"), std::nullopt);
  exchange();

  EXPECT_THAT(second.replies, ElementsAre("second"));
}

TEST_F(Http2Test, APingIsHeardBack) {
  exchange();
  const int before = heard_;

  client_->ping();
  exchange();

  EXPECT_GT(heard_, before);
}

TEST_F(Http2Test, ADrainFinishesWhatIsThereAndThenTheConnection) {
  RecordedCall call;
  client_->call(call, "/silent", wire::frame(""), std::nullopt);
  exchange();

  server_->drain();
  exchange();
  EXPECT_FALSE(server_->finished());
  fake_.last_call->finish(absl::OkStatus());
  exchange();

  EXPECT_TRUE(server_->finished());
  ASSERT_EQ(call.done.size(), 1u);
  EXPECT_TRUE(call.done[0].ok());
}

TEST_F(Http2Test, ACallAfterTheDrainIsRefusedAsUnavailable) {
  exchange();
  server_->drain();
  exchange();
  RecordedCall late;
  client_->call(late, "/echo", wire::frame(""), std::nullopt);
  exchange();

  ASSERT_EQ(late.done.size(), 1u);
  EXPECT_EQ(late.done[0].code(), absl::StatusCode::kUnavailable);
}

TEST_F(Http2Test, AfterAGoodbyeItTakesNoCallsAndEndsWithTheLast) {
  RecordedCall call;
  client_->call(call, "/silent", wire::frame(""), std::nullopt);
  exchange();
  EXPECT_TRUE(client_->takes_calls());

  server_->drain();
  exchange();
  EXPECT_FALSE(client_->takes_calls());
  EXPECT_FALSE(client_->finished());
  EXPECT_TRUE(call.done.empty());

  call.cancel();
  exchange();
  EXPECT_TRUE(client_->finished());
}

TEST_F(Http2Test, AClientThatDrainsFinishesItsCalls) {
  RecordedCall call;
  client_->call(call, "/silent", wire::frame(""), std::nullopt);
  exchange();

  client_->drain();
  exchange();
  EXPECT_FALSE(client_->finished());
  fake_.last_call->finish(absl::OkStatus());
  exchange();

  ASSERT_EQ(call.done.size(), 1u);
  EXPECT_TRUE(call.done[0].ok()) << call.done[0];
  EXPECT_TRUE(client_->finished());
}

TEST_F(Http2Test, GarbageEndsTheConnection) {
  EXPECT_FALSE(server_->receive("\x16\x03\x01 this is no HTTP/2 at all, is it?").ok());
}

TEST_F(Http2Test, ARequestThatFallsSilentIsEndedByTheSweep) {
  exchange();
  RecordedCall call;
  client_->call(call, "/silent", wire::frame(std::string(900'000, 'x')), std::nullopt);
  std::string half;
  client_->produce(half, 1000);
  ASSERT_TRUE(server_->receive(half).ok());

  ASSERT_TRUE(server_->sweep(Clock::now() + core::limits::kStallTimeout - 1s).ok());
  EXPECT_TRUE(call.done.empty());
  ASSERT_TRUE(server_->sweep(Clock::now() + core::limits::kStallTimeout + 1s).ok());
  exchange();

  ASSERT_EQ(call.done.size(), 1u);
  EXPECT_EQ(call.done[0].code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(Http2WireTest, AHeaderThatNeverEndsIsResetByTheSweep) {
  ASSERT_TRUE(say(start() + frame_bytes(kHeaders, kNone, 1, grpc_header("/echo"))).ok());
  output_of(server_);

  ASSERT_TRUE(sweep_after(core::limits::kStallTimeout + 1s).ok());

  EXPECT_THAT(output_of(server_),
              HasSubstr(frame_bytes(kReset, 0, 1, std::string("\0\0\0\x8", 4))));
}

TEST_F(Http2WireTest, AMessageWithoutAnEndIsEndedByTheSweep) {
  ASSERT_TRUE(say(start() + frame_bytes(kHeaders, kEndHeaders, 1, grpc_header("/silent")) +
                  frame_bytes(kData, kNone, 1, wire::frame("all that was promised")))
                  .ok());
  output_of(server_);
  ASSERT_EQ(fake_.open_calls, 1);

  ASSERT_TRUE(sweep_after(core::limits::kStallTimeout + 1s).ok());
  output_of(server_);

  EXPECT_EQ(fake_.open_calls, 0);
  EXPECT_EQ(loop_.budget().used(), 0u);
}

TEST_F(Http2WireTest, AStreamMayBeSilentForAsLongAsItLikes) {
  ASSERT_TRUE(say(start() + frame_bytes(kHeaders, kEndHeaders, 1, grpc_header("/stream"))).ok());
  output_of(server_);

  ASSERT_TRUE(sweep_after(core::limits::kStallTimeout + 1s).ok());
  output_of(server_);

  EXPECT_EQ(fake_.open_calls, 1);
}

TEST_F(Http2WireTest, AStreamHoldsNoMoreThanWhatIsUnderway) {
  ASSERT_TRUE(say(start() + frame_bytes(kHeaders, kEndHeaders, 1, grpc_header("/stream"))).ok());
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(say(frame_bytes(kData, kNone, 1, wire::frame("a question"))).ok());
    output_of(server_);
    EXPECT_EQ(loop_.budget().used(), 0u);
  }
}

TEST_F(Http2WireTest, AStreamWhoseAnswersNobodyReadsIsEnded) {
  const std::string no_window("\0\4\0\0\0\0", 6);
  ASSERT_TRUE(
      say(start(no_window) + frame_bytes(kHeaders, kEndHeaders, 1, grpc_header("/stream"))).ok());
  const std::string question = frame_bytes(kData, kNone, 1, wire::frame(std::string(10'000, '?')));
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(say(question).ok());
    output_of(server_);
  }
  EXPECT_LE(loop_.budget().used(), 5u << 20);
}

TEST_F(Http2WireTest, AnAnswerThatNobodyTakesIsGivenUpByTheSweep) {
  const std::string no_window("\0\4\0\0\0\0", 6);
  ASSERT_TRUE(say(start(no_window) + frame_bytes(kHeaders, kEndHeaders, 1, grpc_header("/echo")) +
                  frame_bytes(kData, kEndStream, 1, wire::frame("hello")))
                  .ok());
  output_of(server_);
  ASSERT_EQ(fake_.open_calls, 1);

  ASSERT_TRUE(sweep_after(core::limits::kStallTimeout + 1s).ok());
  output_of(server_);

  EXPECT_EQ(fake_.open_calls, 0);
  EXPECT_EQ(loop_.budget().used(), 0u);
}

TEST_F(Http2WireTest, WhenMemoryIsShortNoConnectionTakesAllThatIsLeft) {
  BufferBudget::Lease others;
  ASSERT_TRUE(others.grow(loop_.budget(), loop_.budget().left() - 10'000));
  const auto call = [&](Http2ServerSession& server, std::size_t size) {
    ASSERT_TRUE(server
                    .receive(start() +
                             frame_bytes(kHeaders, kEndHeaders, 1, grpc_header("/silent")) +
                             frame_bytes(kData, kNone, 1, wire::frame(std::string(size, 'x'))))
                    .ok());
    output_of(server);
  };
  Http2ServerSession greedy(loop_, front_, output_), modest(loop_, front_, output_);

  call(greedy, 6'000);
  EXPECT_EQ(fake_.open_calls, 0);
  call(modest, 1'000);
  EXPECT_EQ(fake_.open_calls, 1);
}

TEST_F(Http2WireTest, ADrainEndsStreamsThatWouldNeverEnd) {
  ASSERT_TRUE(say(start() + frame_bytes(kHeaders, kEndHeaders, 1, grpc_header("/stream"))).ok());
  output_of(server_);

  server_.drain();
  output_of(server_);
  ASSERT_TRUE(sweep_after(1s).ok());
  output_of(server_);

  EXPECT_TRUE(server_.finished());
}

TEST_F(Http2WireTest, AClientThatMakesAnswersAndReadsNoneIsCutOff) {
  ASSERT_TRUE(say(start()).ok());
  // Beyond the streams it may open, each is refused by a frame of its own; and more than once, as
  // long as it does not acknowledge how many they are.
  absl::Status status;
  std::uint32_t stream = 1;
  for (; status.ok() && stream < 200'000; stream += 2) {
    status = say(frame_bytes(kHeaders, kEndHeaders, stream, grpc_header("/silent")));
  }

  EXPECT_FALSE(status.ok());
  EXPECT_LT(stream, 50'000u);
}

TEST_F(Http2WireTest, AClientThatOpensAndResetsStreamsIsCutOff) {
  ASSERT_TRUE(say(start()).ok());
  std::uint32_t stream = 1;
  for (; !server_.finished() && stream < 20'000; stream += 2) {
    ASSERT_TRUE(say(frame_bytes(kHeaders, kEndHeaders, stream, grpc_header("/silent")) +
                    frame_bytes(kReset, 0, stream, std::string("\0\0\0\x8", 4)))
                    .ok());
    output_of(server_);
  }

  EXPECT_LT(stream, 10'000u);
  EXPECT_EQ(fake_.open_calls, 0);
}

TEST_F(Http2WireTest, AClientThatMakesUsResetStreamsIsCutOff) {
  ASSERT_TRUE(say(start()).ok());
  std::uint32_t stream = 1;
  for (; !server_.finished() && stream < 20'000; stream += 2) {
    ASSERT_TRUE(say(frame_bytes(kHeaders, kEndHeaders, stream, grpc_header("/silent")) +
                    frame_bytes(kWindowUpdate, 0, stream, "\x7f\xff\xff\xff"))
                    .ok());
    output_of(server_);
  }

  EXPECT_LT(stream, 10'000u);
}

TEST_F(Http2WireTest, AnHttpRequestMayBeAnsweredLater) {
  ASSERT_TRUE(say(start() + begin("POST", "/late", kNone)).ok());
  ASSERT_TRUE(say(frame_bytes(kData, kEndStream, 1, "body")).ok());
  output_of(server_);
  ASSERT_EQ(fake_.open_exchanges, 1);

  fake_.last_exchange->respond({.body = "later"});

  EXPECT_THAT(output_of(server_), testing::EndsWith(frame_bytes(kData, kEndStream, 1, "later")));
  EXPECT_EQ(fake_.open_exchanges, 0);
  EXPECT_EQ(loop_.budget().used(), 0u);
}

TEST_F(Http2WireTest, AnHttpRequestMayBeAnsweredInPieces) {
  ASSERT_TRUE(say(start() + begin("GET", "/late")).ok());
  output_of(server_);
  fake_.last_exchange->start({.body = "one"});
  EXPECT_THAT(output_of(server_), testing::EndsWith(frame_bytes(kData, kNone, 1, "one")));
  EXPECT_EQ(fake_.pieces_sent, 1);

  fake_.last_exchange->send("");
  fake_.last_exchange->send("two");
  EXPECT_EQ(output_of(server_), frame_bytes(kData, kNone, 1, "two"));

  fake_.last_exchange->end();
  EXPECT_EQ(output_of(server_), frame_bytes(kData, kEndStream, 1, ""));
  EXPECT_EQ(fake_.open_exchanges, 0);
}

TEST_F(Http2WireTest, PiecesAreCountedUntilTheyAreTaken) {
  const std::string no_window("\0\4\0\0\0\0", 6);
  ASSERT_TRUE(say(start(no_window) + begin("GET", "/late")).ok());
  output_of(server_);
  fake_.last_exchange->start({});
  fake_.last_exchange->send(std::string(10'000, 'x'));
  output_of(server_);

  EXPECT_EQ(fake_.last_exchange->unsent(), 10'000u);
  EXPECT_EQ(loop_.budget().used(), 10'000u);
  ASSERT_TRUE(say(frame_bytes(kWindowUpdate, 0, 1, std::string("\0\0\x4e\x20", 4))).ok());
  output_of(server_);
  EXPECT_EQ(fake_.last_exchange->unsent(), 0u);
  EXPECT_EQ(loop_.budget().used(), 0u);
}

TEST_F(Http2WireTest, PiecesForWhichThereIsNoRoomBreakTheAnswerOff) {
  ASSERT_TRUE(say(start() + begin("GET", "/late")).ok());
  fake_.last_exchange->start({});
  output_of(server_);
  BufferBudget::Lease others;
  ASSERT_TRUE(others.grow(loop_.budget(), loop_.budget().left() - 1000));

  fake_.last_exchange->send(std::string(10'000, 'x'));

  EXPECT_EQ(output_of(server_), frame_bytes(kReset, 0, 1, std::string("\0\0\0\x8", 4)));
  EXPECT_EQ(fake_.open_exchanges, 0);
}

TEST_F(Http2WireTest, AnHttpClientThatCancelsTakesTheHandlerWithIt) {
  ASSERT_TRUE(say(start() + begin("GET", "/late")).ok());
  output_of(server_);
  ASSERT_EQ(fake_.open_exchanges, 1);

  ASSERT_TRUE(say(frame_bytes(kReset, 0, 1, std::string("\0\0\0\x8", 4))).ok());
  output_of(server_);

  EXPECT_EQ(fake_.open_exchanges, 0);
}

TEST_F(Http2WireTest, AnHttpClientThatLeavesTakesTheHandlerWithIt) {
  ASSERT_TRUE(say(start() + begin("GET", "/late")).ok());
  ASSERT_EQ(fake_.open_exchanges, 1);

  server_.disconnected(core::error(absl::StatusCode::kUnavailable, "gone"));

  EXPECT_EQ(fake_.open_exchanges, 0);
}

TEST_F(Http2WireTest, AnAnswerInPiecesToHeadHasNone) {
  ASSERT_TRUE(say(start() + begin("HEAD", "/late")).ok());
  fake_.last_exchange->start({.body = "one"});
  fake_.last_exchange->send("two");
  fake_.last_exchange->end();

  const std::string answer = output_of(server_);
  EXPECT_THAT(answer, testing::Not(HasSubstr("one")));
  EXPECT_THAT(answer, testing::Not(HasSubstr("two")));
  EXPECT_EQ(fake_.open_exchanges, 0);
}

TEST_F(Http2WireTest, AnHttpBodyBeyondTheLimitIsRefusedWhileItComes) {
  front_.message_max = 1000;
  ASSERT_TRUE(say(start() + begin("POST", "/late", kNone)).ok());
  ASSERT_TRUE(say(frame_bytes(kData, kNone, 1, std::string(900, 'x'))).ok());
  output_of(server_);
  ASSERT_TRUE(say(frame_bytes(kData, kNone, 1, std::string(101, 'x'))).ok());

  EXPECT_THAT(output_of(server_), HasSubstr(R"({"detail":"Request Entity Too Large"})"));
  EXPECT_EQ(fake_.http_requests, 0);
  EXPECT_EQ(loop_.budget().used(), 0u);
}

TEST_F(Http2WireTest, AnHttpBodyThatFallsSilentIsGivenUpByTheSweep) {
  ASSERT_TRUE(say(start() + begin("POST", "/a", kNone)).ok());
  ASSERT_TRUE(say(frame_bytes(kData, kNone, 1, "half")).ok());
  output_of(server_);

  ASSERT_TRUE(sweep_after(core::limits::kStallTimeout + 1s).ok());

  EXPECT_EQ(output_of(server_), frame_bytes(kReset, 0, 1, std::string("\0\0\0\x8", 4)));
  EXPECT_EQ(loop_.budget().used(), 0u);
}

TEST_F(Http2WireTest, ADrainWaitsForALateAnswer) {
  ASSERT_TRUE(say(start() + begin("GET", "/late")).ok());
  output_of(server_);
  server_.drain();
  ASSERT_TRUE(sweep_after(1s).ok());
  output_of(server_);
  EXPECT_FALSE(server_.finished());

  fake_.last_exchange->respond({.body = "last"});

  EXPECT_THAT(output_of(server_), HasSubstr("last"));
  EXPECT_TRUE(server_.finished());
}

}  // namespace
}  // namespace flow::gateway
