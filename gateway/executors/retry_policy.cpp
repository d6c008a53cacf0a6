// SPDX-License-Identifier: Apache-2.0
#include "gateway/executors/retry_policy.hpp"

#include <algorithm>

namespace flow::gateway {

namespace limits = core::limits;

void RetryBudget::called() { left_ = std::min(left_ + 1, kFull); }

bool RetryBudget::take(Clock::time_point now) {
  constexpr Clock::duration kPeriod =
      Clock::duration(std::chrono::seconds(1)) / limits::kRetriesPerSecond;
  const Clock::duration passed = now - filled_.value_or(now);
  filled_ = now - passed % kPeriod;  // what is left of a period counts next time
  const std::int64_t earned = std::min(passed / kPeriod, limits::kRetriesAtOnce);
  left_ = std::min(left_ + earned * kRetry, kFull);
  if (left_ < kRetry) return false;
  left_ -= kRetry;
  return true;
}

std::string_view words(RetryVerdict verdict) {
  switch (verdict) {
    case RetryVerdict::Retry:
    case RetryVerdict::OtherFailure:
      return "";
    case RetryVerdict::MayHaveRun:
      return "it may have run, and its endpoint is not declared idempotent";
    case RetryVerdict::TwoProcesses:
      return "it was in two processes that failed, and no third one gets it";
    case RetryVerdict::PartsPassedOn:
      return "a part of the answer had been passed on";
    case RetryVerdict::TooManyTries:
      return "it was tried as often as `retries` in [gateway] allows";
    case RetryVerdict::NoOtherReplica:
      return "no other replica was ready in time";
    case RetryVerdict::NoTimeLeft:
      return "its deadline has passed";
    case RetryVerdict::RequestNotKept:
      return "the gateway had no memory left to keep it";
    case RetryVerdict::BudgetSpent:
      return "more than a fifth of the executor's calls are retries already";
  }
  return "";
}

void RetryPolicy::begin(bool idempotent, std::uint32_t retries) {
  idempotent_ = idempotent;
  repeatable_ = true;
  passed_part_on_ = false;
  retries_left_ = retries;
}

RetryVerdict RetryPolicy::failed(Failure failure, Clock::time_point now,
                                 std::optional<Clock::time_point> deadline, RetryBudget& budget) {
  // A refusal for want of room says that nothing ran, else it may be about the request.
  const bool elsewhere =
      failure.code == absl::StatusCode::kUnavailable ||
      (failure.never_ran && failure.code == absl::StatusCode::kResourceExhausted);
  if (!elsewhere) return RetryVerdict::OtherFailure;
  if (!failure.never_ran) {
    ++processes_;
    if (passed_part_on_) return RetryVerdict::PartsPassedOn;
    if (!idempotent_) return RetryVerdict::MayHaveRun;
    if (processes_ >= 2) return RetryVerdict::TwoProcesses;
  }
  if (retries_left_ == 0) return RetryVerdict::TooManyTries;
  if (deadline && now >= *deadline) return RetryVerdict::NoTimeLeft;
  if (!repeatable_) return RetryVerdict::RequestNotKept;
  if (!budget.take(now)) return RetryVerdict::BudgetSpent;
  --retries_left_;
  return RetryVerdict::Retry;
}

}  // namespace flow::gateway
