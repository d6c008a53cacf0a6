// SPDX-License-Identifier: Apache-2.0
// Protects what is tried again and what is not: whatever may have run twice has to be allowed to.
#include "gateway/executors/retry_policy.hpp"

#include "gtest/gtest.h"

namespace flow::gateway {
namespace {

using namespace std::chrono_literals;
namespace limits = core::limits;

constexpr Clock::time_point kStart = Clock::time_point(1h);
constexpr RetryPolicy::Failure kLost = {absl::StatusCode::kUnavailable, false};
constexpr RetryPolicy::Failure kNeverRan = {absl::StatusCode::kUnavailable, true};

class RetryPolicyTest : public testing::Test {
 protected:
  RetryVerdict fails(RetryPolicy::Failure failure, Clock::time_point now = kStart) {
    return policy_.failed(failure, now, deadline_, budget_);
  }
  RetryPolicy policy_;
  RetryBudget budget_;
  std::optional<Clock::time_point> deadline_;
};

TEST_F(RetryPolicyTest, WhatNeverRanIsTriedAgainWhateverItIs) {
  policy_.begin(false, 3);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(fails(kNeverRan), RetryVerdict::Retry);
  EXPECT_EQ(fails(kNeverRan), RetryVerdict::TooManyTries);
}

TEST_F(RetryPolicyTest, WhatMayHaveRunIsTriedAgainIfItMayRunTwice) {
  policy_.begin(false, 3);
  EXPECT_EQ(fails(kLost), RetryVerdict::MayHaveRun);
  RetryPolicy idempotent;
  idempotent.begin(true, 3);
  EXPECT_EQ(idempotent.failed(kLost, kStart, {}, budget_), RetryVerdict::Retry);
}

TEST_F(RetryPolicyTest, NoThirdProcessGetsWhatTwoMayHaveDiedOf) {
  policy_.begin(true, 100);
  EXPECT_EQ(fails(kLost), RetryVerdict::Retry);
  EXPECT_EQ(fails(kLost), RetryVerdict::TwoProcesses);
}

TEST_F(RetryPolicyTest, ARefusalIsNoProcessThatHadIt) {
  policy_.begin(true, 100);
  EXPECT_EQ(fails(kNeverRan), RetryVerdict::Retry);
  EXPECT_EQ(fails(kLost), RetryVerdict::Retry);
  EXPECT_EQ(fails(kNeverRan), RetryVerdict::Retry);
  EXPECT_EQ(fails(kLost), RetryVerdict::TwoProcesses);
}

TEST_F(RetryPolicyTest, TheProcessesOfAllExecutorsOnItsWayCount) {
  policy_.begin(true, 3);
  EXPECT_EQ(fails(kLost), RetryVerdict::Retry);
  policy_.begin(true, 3);
  EXPECT_EQ(fails(kLost), RetryVerdict::TwoProcesses);
}

TEST_F(RetryPolicyTest, TheTriesOfEachExecutorAreCountedAnew) {
  policy_.begin(false, 1);
  EXPECT_EQ(fails(kNeverRan), RetryVerdict::Retry);
  policy_.begin(false, 1);
  EXPECT_EQ(fails(kNeverRan), RetryVerdict::Retry);
  EXPECT_EQ(fails(kNeverRan), RetryVerdict::TooManyTries);
}

TEST_F(RetryPolicyTest, NoRetriesAreNoRetries) {
  policy_.begin(true, 0);
  EXPECT_EQ(fails(kNeverRan), RetryVerdict::TooManyTries);
  EXPECT_EQ(fails(kLost), RetryVerdict::TooManyTries);
}

TEST_F(RetryPolicyTest, WhatTheCallerHasReadInPartIsNotBegunAnew) {
  policy_.begin(true, 3);
  policy_.passed_part_on();
  EXPECT_EQ(fails(kLost), RetryVerdict::PartsPassedOn);
}

TEST_F(RetryPolicyTest, NothingIsTriedAfterTheDeadline) {
  deadline_ = kStart + 10ms;
  policy_.begin(true, 3);
  EXPECT_EQ(fails(kNeverRan, kStart + 9ms), RetryVerdict::Retry);
  EXPECT_EQ(fails(kNeverRan, kStart + 10ms), RetryVerdict::NoTimeLeft);
}

TEST_F(RetryPolicyTest, WhatIsNotKeptCannotBeSentAgain) {
  policy_.begin(true, 3);
  policy_.cannot_repeat();
  EXPECT_EQ(fails(kNeverRan), RetryVerdict::RequestNotKept);
}

TEST_F(RetryPolicyTest, OtherFailuresAreAnswers) {
  for (const auto code : {absl::StatusCode::kDeadlineExceeded, absl::StatusCode::kInternal,
                          absl::StatusCode::kInvalidArgument, absl::StatusCode::kResourceExhausted,
                          absl::StatusCode::kUnimplemented, absl::StatusCode::kCancelled}) {
    policy_.begin(true, 3);
    EXPECT_EQ(fails({code, false}), RetryVerdict::OtherFailure) << absl::StatusCodeToString(code);
  }
  policy_.begin(true, 3);
  EXPECT_EQ(fails({absl::StatusCode::kDeadlineExceeded, true}), RetryVerdict::OtherFailure);
}

TEST_F(RetryPolicyTest, AReplicaThatHasNoRoomIsPassedOver) {
  policy_.begin(false, 3);
  EXPECT_EQ(fails({absl::StatusCode::kResourceExhausted, true}), RetryVerdict::Retry);
}

TEST_F(RetryPolicyTest, ASpentBudgetEndsIt) {
  for (int i = 0; i < limits::kRetriesAtOnce; ++i) ASSERT_TRUE(budget_.take(kStart));
  policy_.begin(true, 3);
  EXPECT_EQ(fails(kNeverRan), RetryVerdict::BudgetSpent);
  EXPECT_EQ(fails(kNeverRan, kStart + 1s), RetryVerdict::Retry);
}

TEST(RetryVerdict, IsSaidInWords) {
  EXPECT_EQ(words(RetryVerdict::OtherFailure), "");
  for (const auto verdict :
       {RetryVerdict::MayHaveRun, RetryVerdict::TwoProcesses, RetryVerdict::PartsPassedOn,
        RetryVerdict::TooManyTries, RetryVerdict::NoOtherReplica, RetryVerdict::NoTimeLeft,
        RetryVerdict::RequestNotKept, RetryVerdict::BudgetSpent}) {
    EXPECT_NE(words(verdict), "");
  }
}

// ---- the budget ---------------------------------------------------------------------------------

int taken(RetryBudget& budget, Clock::time_point now) {
  int taken = 0;
  while (budget.take(now)) ++taken;
  return taken;
}

TEST(RetryBudget, CoversWhatOneReplicaHasInHand) {
  RetryBudget budget;
  EXPECT_EQ(taken(budget, kStart), limits::kRetriesAtOnce);
}

TEST(RetryBudget, EarnsAShareOfTheCalls) {
  RetryBudget budget;
  taken(budget, kStart);
  for (int i = 0; i < 100; ++i) budget.called();
  EXPECT_EQ(taken(budget, kStart), 100 / limits::kCallsPerRetry);
}

TEST(RetryBudget, EarnsAFewInEachSecondHoweverItIsAskedFor) {
  RetryBudget budget;
  taken(budget, kStart);
  int often = 0;
  for (auto time = kStart; time <= kStart + 10s; time += 7ms) often += taken(budget, time);
  EXPECT_NEAR(often, 10 * limits::kRetriesPerSecond, 1);
}

TEST(RetryBudget, IsNeverMoreThanFull) {
  RetryBudget budget;
  taken(budget, kStart);
  for (int i = 0; i < 100'000; ++i) budget.called();
  EXPECT_EQ(taken(budget, kStart + 24h * 365), limits::kRetriesAtOnce);
  EXPECT_EQ(taken(budget, kStart + 24h * 365), 0);
}

TEST(RetryBudget, AnOutageIsNotMultiplied) {
  RetryBudget budget;
  int retries = 0;
  constexpr int kCalls = 100'000;
  for (int i = 0; i < kCalls; ++i) {  // within ten seconds, and each fails as often as it may
    budget.called();
    const auto now = kStart + i * 100us;
    for (int tries = 0; tries < 3 && budget.take(now); ++tries) ++retries;
  }
  EXPECT_LE(retries, kCalls / 5 + limits::kRetriesAtOnce + 10 * limits::kRetriesPerSecond);
}

}  // namespace
}  // namespace flow::gateway
