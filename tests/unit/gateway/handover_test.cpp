// SPDX-License-Identifier: Apache-2.0
//
// When a new process has proven itself, and how many calls it is trusted with until then.
#include "gateway/executors/handover.hpp"

#include "core/limits.hpp"
#include "gtest/gtest.h"

namespace flow::gateway {
namespace {

using namespace std::chrono_literals;
namespace limits = core::limits;

TEST(Trial, GoesOnUntilEnoughIsAnsweredOrTimeHasPassed) {
  EXPECT_EQ(judge_trial({0, 0}, 0s), TrialVerdict::GoesOn);
  EXPECT_EQ(judge_trial({limits::kTrialCalls - 1, 0}, limits::kTrialTime - 1ns),
            TrialVerdict::GoesOn);
  EXPECT_EQ(judge_trial({limits::kTrialCalls, 0}, 0s), TrialVerdict::Passed);
  EXPECT_EQ(judge_trial({0, 0}, limits::kTrialTime), TrialVerdict::Passed) << "nobody asked";
}

TEST(Trial, IsLostWhenMoreFailsThanIsAnswered) {
  EXPECT_EQ(judge_trial({0, 1}, 0s), TrialVerdict::Failed);
  EXPECT_EQ(judge_trial({1, 1}, 0s), TrialVerdict::GoesOn);
  EXPECT_EQ(judge_trial({1, 2}, limits::kTrialTime), TrialVerdict::Failed);
  EXPECT_EQ(judge_trial({limits::kTrialCalls, limits::kTrialCalls + 1}, 0s), TrialVerdict::Failed);
}

TEST(Trial, IsLostWhenMostAnswersAreErrorsButNotByAFew) {
  EXPECT_EQ(judge_trial({4, 0, 4}, 0s), TrialVerdict::GoesOn) << "they may be the callers' doing";
  EXPECT_EQ(judge_trial({5, 0, 5}, 0s), TrialVerdict::Failed);
  EXPECT_EQ(judge_trial({10, 0, 5}, 0s), TrialVerdict::GoesOn);
  EXPECT_EQ(judge_trial({limits::kTrialCalls, 0, limits::kTrialCalls / 2}, 0s),
            TrialVerdict::Passed);
}

TEST(Trial, IsLostWhenTimeHasPassedAndMostAnswersWereErrors) {
  EXPECT_EQ(judge_trial({2, 0, 2}, limits::kTrialTime - 1ns), TrialVerdict::GoesOn);
  EXPECT_EQ(judge_trial({2, 0, 2}, limits::kTrialTime), TrialVerdict::Failed);
  EXPECT_EQ(judge_trial({2, 0, 1}, limits::kTrialTime), TrialVerdict::Passed);
}

TEST(Trial, TrustDoesNotGrowByErrors) { EXPECT_EQ(trial_calls_max({4, 0, 4}), 1U); }

TEST(Trial, OneCallFindsOutAVersionThatBreaks) {
  EXPECT_EQ(trial_calls_max({0, 0}), 1U);
  EXPECT_EQ(trial_calls_max({1, 0}), 2U);
  EXPECT_EQ(trial_calls_max({20, 3}), 21U);
}

}  // namespace
}  // namespace flow::gateway
