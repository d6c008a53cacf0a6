// SPDX-License-Identifier: Apache-2.0
//
// A call ends exactly once, whatever the plugin does and in whatever order.
#include "host/executor/call.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <random>

#include "core/log.hpp"
#include "host/executor/call_pool.hpp"

namespace flow::host {
namespace {

struct Origin final : CallOrigin {
  void call_finished(const Outcome& outcome) override { outcomes.push_back(outcome); }
  void call_stopping(Stop stop) override { stops.push_back(stop); }
  std::vector<Outcome> outcomes;
  std::vector<Stop> stops;
};

struct Stream final : CallStream {
  flow_status write(Part part) override {
    for (auto& document : part) written.push_back(std::move(document));
    return answer;
  }
  flow_status answer = FLOW_OK;
  Part written;
};

class CallTest : public testing::Test {
 protected:
  Call& queued(std::uint64_t deadline_ns = UINT64_MAX) {
    CallSpec spec;
    spec.origin = &origin_;
    spec.stream = stream_;
    spec.message = &message_;
    spec.deadline_ns = deadline_ns;
    spec.bytes_max = bytes_max_;
    return *pool_.take(spec);
  }
  Call& running() {
    Call& call = queued();
    EXPECT_TRUE(call.start(0));
    return call;
  }
  Call& pending() {
    Call& call = running();
    EXPECT_EQ(call.returned(FLOW_PENDING, FLOW_ASYNC), Call::AfterReturn::Nothing);
    return call;
  }

  jina::DataRequestProto message_;
  Origin origin_;
  CallStream* stream_ = nullptr;
  std::uint64_t bytes_max_ = UINT64_MAX;
  CallPool pool_{4, 2, core::make_logger("test", core::LogConfig{.level = "off"})};
};

TEST_F(CallTest, EndsWithWhatProcessReturns) {
  running().returned(FLOW_NOT_FOUND, 0);
  ASSERT_EQ(origin_.outcomes.size(), 1U);
  EXPECT_EQ(origin_.outcomes[0].status, FLOW_NOT_FOUND);
  EXPECT_EQ(origin_.outcomes[0].started, Outcome::Started::Yes);
}

TEST_F(CallTest, IsNotStartedAfterItsDeadlineOrItsCaller) {
  EXPECT_FALSE(queued(100).start(100));
  Call& left = queued();
  EXPECT_FALSE(left.caller_left());
  EXPECT_FALSE(left.start(0));

  ASSERT_EQ(origin_.outcomes.size(), 2U);
  EXPECT_EQ(origin_.outcomes[0].status, FLOW_DEADLINE_EXCEEDED);
  EXPECT_EQ(origin_.outcomes[1].status, FLOW_CANCELLED);
  EXPECT_EQ(origin_.outcomes[1].started, Outcome::Started::No);
}

TEST_F(CallTest, IgnoresEverythingAfterItsEnd) {
  Call& call = pending();
  EXPECT_EQ(call.finish(FLOW_OK), Call::Finish::Accepted);
  EXPECT_EQ(call.finish(FLOW_INTERNAL), Call::Finish::Ignored);
  EXPECT_FALSE(call.is_alive());
  EXPECT_FALSE(call.begin_cancel());
  EXPECT_FALSE(call.caller_left());
  call.release();
  EXPECT_EQ(call.finish(FLOW_INTERNAL), Call::Finish::Ignored);
  EXPECT_EQ(origin_.outcomes.size(), 1U);
}

TEST_F(CallTest, WaitsForProcessToReturnIfItIsFinishedBefore) {
  Call& call = running();
  EXPECT_EQ(call.finish(FLOW_ABORTED), Call::Finish::Accepted);
  EXPECT_TRUE(origin_.outcomes.empty());
  call.returned(FLOW_PENDING, FLOW_ASYNC);
  ASSERT_EQ(origin_.outcomes.size(), 1U);
  EXPECT_EQ(origin_.outcomes[0].status, FLOW_ABORTED);
}

TEST_F(CallTest, IsToldOfItsCancellationOnce) {
  Call& call = pending();
  EXPECT_TRUE(call.caller_left());
  EXPECT_TRUE(call.begin_cancel());
  EXPECT_FALSE(call.begin_cancel());
  EXPECT_FALSE(call.caller_left());
  EXPECT_TRUE(call.is_cancelled());
}

TEST_F(CallTest, HearsOfACallerThatLeftWhileProcessRan) {
  Call& call = running();
  EXPECT_FALSE(call.caller_left());
  EXPECT_EQ(call.returned(FLOW_PENDING, FLOW_ASYNC), Call::AfterReturn::TellCancel);
  EXPECT_TRUE(call.begin_cancel());
}

TEST_F(CallTest, KeepsTheLastErrorTextAndNotTooMuchOfIt) {
  Call& call = running();
  call.set_error("first");
  call.set_error(std::string(10'000, 'x'));
  call.returned(FLOW_INTERNAL, 0);
  EXPECT_EQ(origin_.outcomes[0].text.size(), 4096U);
}

TEST_F(CallTest, IsUsedAgainOnlyAfterOthers) {
  Call& first = running();
  first.returned(FLOW_OK, 0);
  first.release();
  for (int i = 0; i < 2; ++i) {
    Call& other = running();
    EXPECT_NE(&other, &first);
    other.returned(FLOW_OK, 0);
    other.release();
  }
  EXPECT_EQ(&running(), &first);
}

TEST_F(CallTest, IsRefusedIfThereAreTooManyOrTheEndIsNear) {
  for (int i = 0; i < 4; ++i) queued();
  CallSpec spec;
  spec.origin = &origin_;
  spec.message = &message_;
  EXPECT_EQ(pool_.take(spec), nullptr);
  EXPECT_EQ(pool_.in_use(), 4U);
  EXPECT_FALSE(pool_.wait_until_idle(std::chrono::steady_clock::now()));
  pool_.close();
  EXPECT_TRUE(pool_.is_closed());
}

TEST_F(CallTest, GivesPartsToItsStream) {
  Stream stream;
  stream_ = &stream;
  message_.mutable_data()->mutable_docs()->add_docs()->set_id("1");
  Call& call = running();

  EXPECT_EQ(call.emit(), FLOW_OK);
  EXPECT_EQ(call.emit(), FLOW_OK);  // of nothing
  const void* doc = nullptr;
  call.documents().append(nullptr, FLOW_ROOT, &doc);
  call.returned(FLOW_OK, FLOW_STREAMS);

  ASSERT_EQ(stream.written.size(), 1U);
  EXPECT_EQ(stream.written[0]->id(), "1");
  EXPECT_EQ(message_.data().docs().docs_size(), 1);
  EXPECT_EQ(origin_.outcomes[0].status, FLOW_OK);
}

TEST_F(CallTest, DoesNotEndWellIfAPartIsMissing) {
  Stream stream;
  stream.answer = FLOW_CANCELLED;
  stream_ = &stream;
  Call& lost = running();
  EXPECT_EQ(lost.emit(), FLOW_CANCELLED);
  lost.returned(FLOW_OK, FLOW_STREAMS);

  stream_ = nullptr;
  Call& left = running();
  left.caller_left();
  EXPECT_EQ(left.emit(), FLOW_CANCELLED);
  left.returned(FLOW_NOT_FOUND, FLOW_STREAMS);

  EXPECT_EQ(origin_.outcomes[0].status, FLOW_CANCELLED);
  EXPECT_EQ(origin_.outcomes[1].status, FLOW_NOT_FOUND);  // the plugin knows more
}

TEST_F(CallTest, MayEndWellAfterAPartThatWasTooLarge) {
  bytes_max_ = 1;
  message_.mutable_data()->mutable_docs()->add_docs()->set_id("too long");
  Call& call = running();

  EXPECT_EQ(call.emit(), FLOW_RESOURCE_EXHAUSTED);
  call.returned(FLOW_OK, FLOW_STREAMS);

  EXPECT_EQ(origin_.outcomes[0].status, FLOW_OK);
}

TEST_F(CallTest, TellsItsOriginAndItsPluginThatTheExecutorStops) {
  Call& call = running();
  EXPECT_FALSE(call.stop(CallOrigin::Stop::Ask));
  EXPECT_TRUE(call.is_cancelled());
  EXPECT_TRUE(call.is_stopping());
  EXPECT_EQ(call.returned(FLOW_PENDING, FLOW_ASYNC), Call::AfterReturn::TellCancel);
  EXPECT_TRUE(call.stop(CallOrigin::Stop::Cut));
  EXPECT_THAT(origin_.stops, testing::ElementsAre(CallOrigin::Stop::Ask, CallOrigin::Stop::Cut));
}

TEST_F(CallTest, DoesNotSpeakToAnOriginThatLeft) {
  Call& call = running();
  call.hold();  // as somebody who tells the plugin
  call.returned(FLOW_OK, 0);
  call.origin_left();
  EXPECT_FALSE(call.stop(CallOrigin::Stop::Cut));
  call.release();
  EXPECT_FALSE(call.stop(CallOrigin::Stop::Cut));  // not even in use
  EXPECT_TRUE(origin_.stops.empty());
}

// ---- giving up ----------------------------------------------------------------------------------

TEST_F(CallTest, IsSilentSinceItsStartItsProgressItsPartsAndItsReturn) {
  EXPECT_EQ(queued().silent_since(), std::nullopt);
  Call& call = running();
  EXPECT_EQ(call.silent_since(), 0U);
  call.progress();
  const auto progressed = call.silent_since();
  EXPECT_GT(progressed, 0U);
  call.emit();
  EXPECT_GE(call.silent_since(), progressed);
  call.returned(FLOW_PENDING, FLOW_ASYNC);
  EXPECT_GE(call.silent_since(), progressed);
  call.finish(FLOW_OK);
  EXPECT_EQ(call.silent_since(), std::nullopt);
}

TEST_F(CallTest, IsNotSilentWhileItWaitsForASlowReader) {
  struct SlowReader final : CallStream {
    flow_status write(Part) override {
      EXPECT_EQ(call->silent_since(), std::nullopt);
      EXPECT_FALSE(call->give_up(0));
      return FLOW_OK;
    }
    Call* call = nullptr;
  } stream;
  stream_ = &stream;
  stream.call = &running();
  EXPECT_EQ(stream.call->emit(), FLOW_OK);
  EXPECT_NE(stream.call->silent_since(), std::nullopt);
}

TEST_F(CallTest, IsNotGivenUpIfItGotOnMeanwhileOrIsOver) {
  Call& call = running();
  const auto since = call.silent_since().value();
  call.progress();
  EXPECT_FALSE(call.give_up(since));
  call.returned(FLOW_OK, 0);
  EXPECT_FALSE(call.give_up(since));
  EXPECT_FALSE(queued().give_up(0));
  EXPECT_EQ(origin_.outcomes.size(), 1U);
}

TEST_F(CallTest, AnswersItsCallerWhenItIsGivenUpAndStaysThePlugins) {
  Call& call = running();
  const auto given_up = call.give_up(call.silent_since().value());
  ASSERT_TRUE(given_up);
  EXPECT_EQ(given_up->thread, ::gettid());
  EXPECT_FALSE(given_up->tell_cancel);
  EXPECT_FALSE(call.give_up(call.silent_since().value_or(0))) << "once";
  call.answer_given_up(FLOW_DEADLINE_EXCEEDED, "stuck");
  call.origin_left();

  ASSERT_EQ(origin_.outcomes.size(), 1U);
  EXPECT_EQ(origin_.outcomes[0].status, FLOW_DEADLINE_EXCEEDED);
  EXPECT_EQ(origin_.outcomes[0].text, "stuck");
  EXPECT_EQ(origin_.outcomes[0].started, Outcome::Started::Yes);
  EXPECT_EQ(origin_.outcomes[0].held, Outcome::Held::Yes);
  EXPECT_TRUE(call.is_alive()) << "its documents are the plugin's until it returns";
  EXPECT_TRUE(call.is_cancelled());
  EXPECT_EQ(pool_.in_use(), 1U);

  call.returned(FLOW_OK, 0);
  EXPECT_EQ(origin_.outcomes.size(), 1U);
  EXPECT_EQ(pool_.in_use(), 0U);
}

TEST_F(CallTest, TellsThePluginThatAPendingCallIsGivenUpAndIgnoresItsAnswer) {
  Call& call = pending();
  const auto given_up = call.give_up(call.silent_since().value());
  ASSERT_TRUE(given_up);
  EXPECT_EQ(given_up->thread, 0);
  EXPECT_TRUE(given_up->tell_cancel);
  EXPECT_TRUE(call.begin_cancel());
  call.release();  // as who told the plugin
  EXPECT_EQ(call.finish(FLOW_OK), Call::Finish::Accepted) << "before its caller was answered";
  EXPECT_TRUE(origin_.outcomes.empty());
  call.answer_given_up(FLOW_DEADLINE_EXCEEDED, "stuck");
  call.origin_left();
  EXPECT_EQ(origin_.outcomes.size(), 1U);
  EXPECT_EQ(pool_.in_use(), 0U);
}

TEST_F(CallTest, KeepsWhatThePluginMayUseUntilThePluginLetsGo) {
  const auto kept = std::make_shared<int>(1);
  CallSpec spec;
  spec.origin = &origin_;
  spec.message = &message_;
  spec.keep = kept;
  Call& call = *pool_.take(spec);
  spec.keep.reset();
  call.start(0);
  EXPECT_TRUE(call.give_up(0));
  call.answer_given_up(FLOW_DEADLINE_EXCEEDED, "stuck");
  call.origin_left();
  EXPECT_EQ(kept.use_count(), 2);
  call.returned(FLOW_OK, 0);
  EXPECT_EQ(kept.use_count(), 1);
}

// Any order of what host, caller, watchdog and plugin may do: one end per call, none without a
// start or a refusal, and every call back in the pool.
TEST_F(CallTest, EndsExactlyOnceInAnyOrderOfEvents) {
  std::mt19937 random(7);
  for (int round = 0; round < 20'000; ++round) {
    origin_.outcomes.clear();
    Call& call = queued(random() % 4 == 0 ? 1 : UINT64_MAX);
    bool returned = false;
    bool given_up = false;
    int told = 0;
    const auto tell = [&] {
      told += call.begin_cancel() ? 1 : 0;
      call.release();
    };
    if (random() % 4 == 0) call.caller_left();
    if (call.start(random() % 2)) {
      for (int i = 0; i < 6; ++i) {
        switch (random() % 5) {
          case 0:
            call.finish(FLOW_OK);
            break;
          case 1:
            if (call.caller_left()) tell();
            break;
          case 2:
            if (const auto since = call.silent_since()) {
              const auto done = call.give_up(*since);
              ASSERT_TRUE(done);
              given_up = true;
              if (done->tell_cancel) tell();
            }
            break;
          case 3:
            if (!std::exchange(returned, true) &&
                call.returned(random() % 2 == 0 ? FLOW_PENDING : FLOW_OK, FLOW_ASYNC) ==
                    Call::AfterReturn::TellCancel) {
              tell();
            }
            break;
          default:
            call.set_error("text");
            break;
        }
      }
      if (!returned) call.returned(FLOW_OK, FLOW_ASYNC);
      call.finish(FLOW_OK);  // an honest plugin's, if it still owes one
      if (given_up) call.answer_given_up(FLOW_DEADLINE_EXCEEDED, "stuck");
    }
    ASSERT_EQ(origin_.outcomes.size(), 1U) << round;
    ASSERT_LE(told, 1) << round;
    call.release();
    ASSERT_EQ(pool_.in_use(), 0U) << round;
  }
}

}  // namespace
}  // namespace flow::host
