// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "core/limits.hpp"
#include "gateway/net/loop.hpp"

// May a call that failed be tried again? Machines that are told what happened, with times, and know
// no clock.
namespace flow::gateway {

// How many retries one executor's calls may cost together: a share of its calls, and some in any
// second, so that retries do not multiply the load of an executor that is in trouble. Full at the
// start. Confined to its loop.
class RetryBudget {
 public:
  // Somebody calls: the first try, which costs nothing.
  void called();
  // A retry, if there is one left.
  bool take(Clock::time_point now);

 private:
  // Counted in calls: a retry is worth kCallsPerRetry of them.
  static constexpr std::int64_t kRetry = core::limits::kCallsPerRetry;
  static constexpr std::int64_t kFull = core::limits::kRetriesAtOnce * kRetry;

  std::int64_t left_ = kFull;
  std::optional<Clock::time_point> filled_;  // up to when time has been counted
};

enum class RetryVerdict {
  Retry,
  OtherFailure,    // another replica would say the same, or has to take as long
  MayHaveRun,      // and its endpoint is not idempotent
  TwoProcesses,    // had it already
  PartsPassedOn,   // the caller has read the beginning of an answer
  TooManyTries,    // more than [gateway] retries
  NoOtherReplica,  // is there, or came back in time
  NoTimeLeft,      // the caller's deadline has passed
  RequestNotKept,  // there was no memory to keep it
  BudgetSpent,     // others needed the retries
};
// Why there is no retry, in words that follow "not retried: "; empty if there is no need to say.
std::string_view words(RetryVerdict verdict);

// The tries of one request, executor after executor. Guarantees that a request which may have run
// and failed is handed to one more process and no third one, wherever on its way that happens: one
// that kills what processes it must not kill all replicas. Confined to its loop.
class RetryPolicy {
 public:
  struct Failure {
    absl::StatusCode code = absl::StatusCode::kUnavailable;
    bool never_ran = false;  // for certain
  };

  // The request goes to an executor. `retries` as in [gateway], -1 resolved.
  void begin(bool idempotent, std::uint32_t retries);
  // The caller has got a part of the answer.
  void passed_part_on() { passed_part_on_ = true; }
  // The request's bytes are gone.
  void cannot_repeat() { repeatable_ = false; }
  // A try failed. If the verdict is Retry it is paid for and counted.
  RetryVerdict failed(Failure failure, Clock::time_point now,
                      std::optional<Clock::time_point> deadline, RetryBudget& budget);

 private:
  bool idempotent_ = false;
  bool repeatable_ = true;
  bool passed_part_on_ = false;
  std::uint32_t retries_left_ = 0;
  std::uint32_t processes_ = 0;  // that may have run it and failed; of the whole request
};

}  // namespace flow::gateway
