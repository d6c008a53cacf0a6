// SPDX-License-Identifier: Apache-2.0
#include "client/src/retry.hpp"

#include <gtest/gtest.h>

namespace flow::client {
namespace {

using namespace std::chrono_literals;

const absl::Status kUnavailable = absl::UnavailableError("gone");
const Deadline kNow{1000s};
const Deadline kFarAway = kNow + 1h;

RetryOptions options(int attempts) { return {.attempts = attempts, .first_wait = 100ms}; }

TEST(RetryPolicy, GivesUpAfterOneAttemptUnlessToldOtherwise) {
  RetryBudget budget(10);
  RetryPolicy policy({}, budget, 1);
  EXPECT_FALSE(policy.after_failure(kUnavailable, 1, kNow, kFarAway));
}

TEST(RetryPolicy, RetriesUntilTheAttemptsAreSpent) {
  RetryBudget budget(10);
  RetryPolicy policy(options(3), budget, 1);
  EXPECT_TRUE(policy.after_failure(kUnavailable, 1, kNow, kFarAway));
  EXPECT_TRUE(policy.after_failure(kUnavailable, 2, kNow, kFarAway));
  EXPECT_FALSE(policy.after_failure(kUnavailable, 3, kNow, kFarAway));
}

TEST(RetryPolicy, RetriesNothingButUnavailable) {
  RetryBudget budget(100);
  RetryPolicy policy(options(3), budget, 1);
  for (const absl::Status& status :
       {absl::DeadlineExceededError(""), absl::InternalError(""), absl::UnknownError(""),
        absl::ResourceExhaustedError(""), absl::AbortedError(""), absl::CancelledError("")}) {
    EXPECT_FALSE(policy.after_failure(status, 1, kNow, kFarAway)) << status;
  }
}

TEST(RetryPolicy, DoublesTheWaitUpToTheLongestAndShortensItByHalfAtMost) {
  RetryBudget budget(1000);
  RetryOptions patient = options(100);
  patient.longest_wait = 300ms;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    RetryPolicy policy(patient, budget, seed);
    const std::pair<int, Duration> expected[] = {{1, 100ms}, {2, 200ms}, {3, 300ms}, {90, 300ms}};
    for (const auto& [attempts, longest] : expected) {
      const Duration wait = *policy.after_failure(kUnavailable, attempts, kNow, kFarAway) - kNow;
      EXPECT_LE(wait, longest);
      EXPECT_GE(wait, longest / 2);
    }
  }
}

TEST(RetryPolicy, GivesUpWhenTheWaitWouldOutlastTheDeadline) {
  RetryBudget budget(10);
  RetryPolicy policy(options(3), budget, 1);
  EXPECT_FALSE(policy.after_failure(kUnavailable, 1, kNow, kNow + 40ms));
  EXPECT_FALSE(policy.after_failure(kUnavailable, 1, kNow, kNow - 1s));
}

TEST(RetryPolicy, GivesUpWhenTheBudgetIsSpent) {
  RetryBudget budget(2);
  RetryPolicy policy(options(100), budget, 1);
  EXPECT_TRUE(policy.after_failure(kUnavailable, 1, kNow, kFarAway));
  EXPECT_TRUE(policy.after_failure(kUnavailable, 1, kNow, kFarAway));
  EXPECT_FALSE(policy.after_failure(kUnavailable, 1, kNow, kFarAway));
}

TEST(RetryPolicy, SurvivesNonsensicalWaits) {
  RetryBudget budget(10);
  RetryPolicy policy({.attempts = 90, .first_wait = -1s, .longest_wait = -1s}, budget, 1);
  EXPECT_TRUE(policy.after_failure(kUnavailable, 80, kNow, kFarAway));
  RetryPolicy endless(
      {.attempts = 90, .first_wait = Duration::max(), .longest_wait = Duration::max()}, budget, 1);
  EXPECT_FALSE(endless.after_failure(kUnavailable, 80, kNow, kFarAway));
}

TEST(RetryBudget, EarnsOneRetryByTenSuccessesAndNeverMoreThanItHad) {
  RetryBudget budget(1);
  EXPECT_TRUE(budget.spend());
  for (int i = 0; i < 9; ++i) budget.earn();
  EXPECT_FALSE(budget.spend());
  for (int i = 0; i < 100; ++i) budget.earn();
  EXPECT_TRUE(budget.spend());
  EXPECT_FALSE(budget.spend());
}

TEST(RetryBudget, OfNothingAllowsNothing) {
  RetryBudget budget(-1);
  budget.earn();
  EXPECT_FALSE(budget.spend());
}

}  // namespace
}  // namespace flow::client
