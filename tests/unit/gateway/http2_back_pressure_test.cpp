// SPDX-License-Identifier: Apache-2.0
// Who sends more than is wanted is held back by HTTP/2's windows, at either end, and nothing of
// what was sent is lost, forgotten or told twice.
#include <algorithm>

#include "core/limits.hpp"
#include "gmock/gmock.h"
#include "tests/unit/gateway/http2_support.hpp"

namespace flow::gateway {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
namespace limits = core::limits;

// ---- a caller who is held back ------------------------------------------------------------------

class HeldBackTest : public Http2WireTest {
 protected:
  void open(std::string_view path = "/picky", std::string_view settings = "") {
    // Before it has acknowledged the server's settings, windows and frames are small.
    ASSERT_TRUE(say(start(settings)).ok());
    hear();
    ASSERT_TRUE(say(frame_bytes(kSettings, kAck, 0, "") +
                    frame_bytes(kHeaders, kEndHeaders, 1, grpc_header(path)))
                    .ok());
    hear();
  }
  static constexpr int kAck = 1;
  // Some messages in one DATA frame each, as many as a client that keeps to its window would send.
  void send(int count, std::size_t size, int flags = kNone) {
    for (int i = 0; i < count; ++i) {
      const std::string message = wire::frame(std::string(size, 'x'));
      ASSERT_LE(message.size(), window_);
      window_ -= message.size();
      ASSERT_TRUE(say(frame_bytes(kData, i + 1 == count ? flags : kNone, 1, message)).ok());
      hear();
    }
  }
  std::string hear() {
    const std::string all = output_of(server_);
    std::string_view rest = all;
    const auto number = [](std::string_view bytes) {
      std::size_t value = 0;
      for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
      return value;
    };
    while (rest.size() >= 9) {
      const std::size_t size = number(rest.substr(0, 3));
      if (rest[3] == kWindowUpdate && number(rest.substr(5, 4)) == 1) {
        window_ += number(rest.substr(9, 4));
      }
      rest.remove_prefix(std::min(rest.size(), 9 + size));
    }
    return all;
  }
  const std::string no_window_{"\0\4\0\0\0\0", 6};
  std::size_t window_ = limits::kStreamWindow;  // what the client may still send
};

TEST_F(HeldBackTest, WhatIsNotWantedWaitsAndIsGivenNoCredit) {
  open();
  fake_.wanted = 2;
  send(30, 100'000);

  EXPECT_THAT(fake_.taken, SizeIs(2));
  EXPECT_LT(window_, 1'200'000u) << "what waits is not credit for more";
  EXPECT_EQ(loop_.budget().used(), 28u * 100'005u);
}

TEST_F(HeldBackTest, WhatIsWantedLaterIsTakenThenAndGivesCredit) {
  open();
  fake_.wanted = 2;
  send(30, 100'000);

  fake_.wanted = 3;
  fake_.last_call->input_wanted();
  EXPECT_THAT(fake_.taken, SizeIs(5));
  fake_.wanted = 100;
  fake_.last_call->input_wanted();
  hear();

  EXPECT_THAT(fake_.taken, SizeIs(30));
  EXPECT_EQ(window_, static_cast<std::size_t>(limits::kStreamWindow));
  EXPECT_EQ(loop_.budget().used(), 0u);
}

TEST_F(HeldBackTest, MessagesCutAnywhereArriveWhole) {
  open();
  std::string all;
  for (int i = 0; i < 50; ++i) all += wire::frame(std::string(static_cast<std::size_t>(i), 'x'));
  for (const std::size_t piece : {1u, 3u, 7u, 100u}) {
    fake_.taken.clear();
    for (std::size_t at = 0; at < all.size(); at += piece) {
      ASSERT_TRUE(say(frame_bytes(kData, kNone, 1, all.substr(at, piece))).ok());
      fake_.wanted = 1;
      fake_.last_call->input_wanted();
    }
    while (fake_.taken.size() < 50) {
      const std::size_t before = fake_.taken.size();
      fake_.wanted = 1;
      fake_.last_call->input_wanted();
      ASSERT_GT(fake_.taken.size(), before);
    }
    for (std::size_t i = 0; i < 50; ++i) EXPECT_THAT(fake_.taken[i], SizeIs(i));
  }
  EXPECT_EQ(loop_.budget().used(), 0u);
}

TEST_F(HeldBackTest, AskingForMoreFromInsideACallbackIsNeitherNestedNorLost) {
  open();
  int depth = 0, deepest = 0;
  fake_.on_taken = [&] {
    deepest = std::max(deepest, ++depth);
    fake_.wanted = 1;
    fake_.last_call->input_wanted();
    --depth;
  };
  send(20, 10);
  EXPECT_THAT(fake_.taken, SizeIs(0));
  fake_.wanted = 1;
  fake_.last_call->input_wanted();

  EXPECT_THAT(fake_.taken, SizeIs(20));
  EXPECT_EQ(deepest, 1);
}

TEST_F(HeldBackTest, TheEndIsToldOnceAndAfterWhatWaits) {
  open();
  send(3, 10, kEndStream);
  EXPECT_EQ(fake_.ends_told, 0);

  fake_.wanted = 2;
  fake_.last_call->input_wanted();
  EXPECT_EQ(fake_.ends_told, 0);
  fake_.wanted = 5;
  fake_.last_call->input_wanted();
  EXPECT_EQ(fake_.ends_told, 1);
  fake_.last_call->input_wanted();
  EXPECT_EQ(fake_.ends_told, 1);
}

TEST_F(HeldBackTest, AnEndInTheMiddleOfAMessageThatWaitsIsAnErrorThen) {
  open();
  ASSERT_TRUE(say(frame_bytes(kData, kEndStream, 1,
                              wire::frame("whole") + wire::frame("half").substr(0, 7)))
                  .ok());
  fake_.wanted = 5;
  fake_.last_call->input_wanted();
  EXPECT_THAT(hear(), HasSubstr("\x02"
                                "13"));
  EXPECT_THAT(fake_.taken, ElementsAre("whole"));
  EXPECT_EQ(fake_.ends_told, 0);
  EXPECT_EQ(fake_.open_calls, 0);
}

TEST_F(HeldBackTest, FinishingWhileMessagesWaitLetsThemGo) {
  open();
  fake_.wanted = 1;
  send(30, 100'000);
  fake_.last_call->finish(absl::OkStatus());
  hear();

  EXPECT_THAT(fake_.taken, SizeIs(1));
  EXPECT_EQ(fake_.open_calls, 0);
  EXPECT_EQ(loop_.budget().used(), 0u);
}

TEST_F(HeldBackTest, FinishingFromInsideACallbackStopsTheRest) {
  open();
  fake_.on_taken = [&] { fake_.last_call->finish(absl::OkStatus()); };
  send(30, 1000);
  fake_.wanted = 10;
  fake_.last_call->input_wanted();
  hear();

  EXPECT_THAT(fake_.taken, SizeIs(1));
  EXPECT_EQ(fake_.open_calls, 0);
  EXPECT_EQ(loop_.budget().used(), 0u);
}

TEST_F(HeldBackTest, ADrainEndsAStreamThatIsHeldBack) {
  open();
  send(10, 1000);
  server_.drain();
  hear();
  ASSERT_TRUE(sweep_after(1s).ok());
  hear();

  EXPECT_TRUE(server_.finished());
  EXPECT_EQ(loop_.budget().used(), 0u);
}

TEST_F(HeldBackTest, WhoIsHeldBackDoesNotStall) {
  open();
  send(3, 1000);
  ASSERT_TRUE(sweep_after(limits::kStallTimeout + 1s).ok());
  hear();
  EXPECT_EQ(fake_.open_calls, 1);
}

TEST_F(HeldBackTest, AResetTakesWhatWaitsWithIt) {
  open();
  send(10, 1000);
  ASSERT_TRUE(say(frame_bytes(kReset, 0, 1, std::string("\0\0\0\x8", 4))).ok());
  EXPECT_EQ(fake_.open_calls, 0);
  EXPECT_EQ(loop_.budget().used(), 0u);
}

TEST_F(HeldBackTest, ManySmallMessagesOneAtATimeAreNotMovedAboutEachTime) {
  open();
  const std::string message = wire::frame("");
  std::string many;
  for (int i = 0; i < 3000; ++i) many += message;
  for (int i = 0; i < 250; ++i) ASSERT_TRUE(say(frame_bytes(kData, kNone, 1, many)).ok());
  while (fake_.taken.size() < 750'000) {
    fake_.wanted = 1;
    fake_.last_call->input_wanted();
  }
  EXPECT_EQ(loop_.budget().used(), 0u);
}

// ---- a caller who does not read -----------------------------------------------------------------

TEST_F(HeldBackTest, AnswersBeyondTheWindowThatNobodyReadsHoldTheirCallerBack) {
  open("/stream", no_window_);
  send(60, 100'000);  // more than one window of it is never answered
  EXPECT_GT(fake_.last_call->unsent(), static_cast<std::size_t>(limits::kStreamWindow));
  EXPECT_LT(fake_.last_call->unsent(), static_cast<std::size_t>(limits::kStreamWindow) + 200'000);

  // The client reads: the rest is answered.
  const std::size_t before = fake_.last_call->unsent();
  ASSERT_TRUE(say(frame_bytes(kWindowUpdate, 0, 1, std::string("\0\x70\0\0", 4)) +
                  frame_bytes(kWindowUpdate, 0, 0, std::string("\0\x70\0\0", 4)))
                  .ok());
  std::string heard = hear();
  EXPECT_GT(fake_.sent_told, 0);
  EXPECT_LT(fake_.last_call->unsent(), before);
  EXPECT_EQ(heard.size() > 6'000'000, true);
  EXPECT_EQ(fake_.last_call->unsent(), 0u);
}

TEST_F(HeldBackTest, WhoSaysMuchAndTakesNothingIsCutOffAsWell) {
  open("/stream", no_window_);
  send(1, 10);
  // A byte of the next message now and then is no sign of reading.
  ASSERT_TRUE(say(frame_bytes(kData, kNone, 1, std::string(1, '\0'))).ok());
  ASSERT_TRUE(sweep_after(limits::kStallTimeout + 1s).ok());
  hear();
  EXPECT_EQ(fake_.open_calls, 0);
  EXPECT_EQ(loop_.budget().used(), 0u);
}

// ---- an executor that is held back --------------------------------------------------------------

class HeldBackExecutorTest : public Http2Test {
 protected:
  // A call to "/silent", whose answers the test sends.
  void open() {
    call_.wanted = [this](RecordedCall&) { return wanted_ > call_.replies.size(); };
    client_->call(call_, "/silent", wire::frame(""), std::nullopt);
    exchange();
  }
  void answer(int count, std::size_t size) {
    for (int i = 0; i < count; ++i) {
      fake_.last_call->send(wire::frame(std::string(size, 'x')));
      exchange();
    }
  }
  std::size_t wanted_ = 0;
  RecordedCall call_;
};

TEST_F(HeldBackExecutorTest, SendsNoMoreThanOneWindowUntilMoreIsWanted) {
  open();
  wanted_ = 1;
  answer(100, 100'000);
  EXPECT_THAT(call_.replies, SizeIs(1));
  EXPECT_GT(fake_.last_call->unsent(), 5'000'000u);

  wanted_ = 1000;
  call_.reply_wanted();
  exchange();
  EXPECT_THAT(call_.replies, SizeIs(100));
  EXPECT_EQ(fake_.last_call->unsent(), 0u);
}

TEST_F(HeldBackExecutorTest, OtherCallsOfItsConnectionGoOn) {
  open();
  answer(100, 100'000);
  RecordedCall other;
  client_->call(other, "/echo", wire::frame("hello"), std::nullopt);
  exchange();
  EXPECT_THAT(other.replies, ElementsAre("hello"));
}

TEST_F(HeldBackExecutorTest, TheEndOfTheCallWaitsForItsReplies) {
  open();
  answer(3, 10);
  fake_.last_call->finish(absl::OkStatus());
  exchange();
  EXPECT_THAT(call_.done, SizeIs(0));
  EXPECT_TRUE(call_.running());

  wanted_ = 2;
  call_.reply_wanted();
  EXPECT_THAT(call_.done, SizeIs(0));
  wanted_ = 9;
  call_.reply_wanted();
  EXPECT_THAT(call_.replies, SizeIs(3));
  ASSERT_THAT(call_.done, SizeIs(1));
  EXPECT_TRUE(call_.done[0].ok());
  EXPECT_FALSE(call_.running());
}

TEST_F(HeldBackExecutorTest, WhatHasEndedWellOutlivesItsConnection) {
  open();
  answer(3, 10);
  fake_.last_call->finish(absl::OkStatus());
  exchange();
  client_.reset();

  wanted_ = 9;
  call_.reply_wanted();
  EXPECT_THAT(call_.replies, SizeIs(3));
  ASSERT_THAT(call_.done, SizeIs(1));
  EXPECT_TRUE(call_.done[0].ok());
}

TEST_F(HeldBackExecutorTest, ALostConnectionIsToldThoughRepliesWait) {
  open();
  answer(3, 10);
  client_->disconnected(core::error(absl::StatusCode::kUnavailable, "cut"));
  ASSERT_THAT(call_.done, SizeIs(1));
  EXPECT_EQ(call_.done[0].message(), "cut");
}

TEST_F(HeldBackExecutorTest, ACallMayBeDestroyedByItsOwnReply) {
  for (const bool held_back : {false, true}) {
    auto call = std::make_unique<RecordedCall>();
    bool wanted = !held_back;
    int replies = 0;
    call->wanted = [&](RecordedCall&) { return wanted; };
    call->on_each = [&] {
      ++replies;
      std::unique_ptr<RecordedCall> gone = std::move(call);
      gone->on_each = nullptr;
    };
    client_->call(*call, "/silent", wire::frame(""), std::nullopt);
    exchange();
    for (int i = 0; i < 3; ++i) fake_.last_call->send(wire::frame("x"));
    exchange();
    wanted = true;
    if (call) call->reply_wanted();
    exchange();
    EXPECT_EQ(replies, 1);
    EXPECT_EQ(fake_.open_calls, 0);
  }
}

TEST_F(HeldBackExecutorTest, ACallMayBeCancelledAndStartedAnewByItsOwnReply) {
  RecordedCall call;
  call.on_each = [&] {
    if (call.replies.back() != "first") return;
    call.cancel();
    client_->call(call, "/echo", wire::frame("second"), std::nullopt);
  };
  client_->call(call, "/silent", wire::frame(""), std::nullopt);
  exchange();
  fake_.last_call->send(wire::frame("first") + wire::frame("not heard"));
  exchange();
  EXPECT_THAT(call.replies, ElementsAre("first", "second"));
  EXPECT_THAT(call.done, SizeIs(1));
}

TEST_F(HeldBackExecutorTest, AReplyThatIsNoneAmongThoseThatWaitEndsTheCall) {
  open();
  fake_.last_call->send(wire::frame("good") + std::string("\7\0\0\0\0", 5) + wire::frame("late"));
  exchange();
  wanted_ = 9;
  call_.reply_wanted();
  exchange();
  EXPECT_THAT(call_.replies, ElementsAre("good"));
  ASSERT_THAT(call_.done, SizeIs(1));
  EXPECT_EQ(call_.done[0].code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace flow::gateway
