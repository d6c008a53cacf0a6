// SPDX-License-Identifier: Apache-2.0
#include "client/src/retry.hpp"

#include <algorithm>

namespace flow::client {

bool RetryBudget::spend() {
  int left = left_.load();
  while (left >= kRetry) {
    if (left_.compare_exchange_weak(left, left - kRetry)) return true;
  }
  return false;
}

void RetryBudget::earn() {
  int left = left_.load();
  while (left < full_ && !left_.compare_exchange_weak(left, left + 1)) {
  }
}

std::optional<Deadline> RetryPolicy::after_failure(const absl::Status& failure, int attempts,
                                                   Deadline now, Deadline deadline) {
  if (!absl::IsUnavailable(failure) || attempts >= options_.attempts) return std::nullopt;
  Duration wait = std::max(options_.first_wait, Duration(1));
  const Duration longest =
      std::clamp<Duration>(options_.longest_wait, Duration(1), core::limits::kDurationMax);
  for (int i = 1; i < attempts && wait < longest; ++i) wait *= 2;
  wait = std::min(wait, longest);
  wait -= Duration(std::uniform_int_distribution<Duration::rep>(0, wait.count() / 2)(random_));
  if (deadline - now <= wait || !budget_.spend()) return std::nullopt;
  return now + wait;
}

}  // namespace flow::client
