// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <random>

#include "absl/status/status.h"
#include "client/src/deadline.hpp"
#include "flow/client.hpp"

namespace flow::client {

// How many retries may still be spent, so that a client of a server that is down does not multiply
// its load. Thread-safe: all requests of a Client share it.
class RetryBudget {
 public:
  explicit RetryBudget(int retries) : full_(std::max(0, retries) * kRetry), left_(full_) {}

  // True if there was one left, which is then gone.
  bool spend();
  // A request succeeded.
  void earn();

 private:
  static constexpr int kRetry = 10;  // in successes
  const int full_;
  std::atomic<int> left_;
};

// Whether and when a failed request is sent again. Values and times only; confined to its user.
class RetryPolicy {
 public:
  // `budget` outlives it.
  RetryPolicy(const RetryOptions& options, RetryBudget& budget, std::uint64_t seed)
      : options_(options), budget_(budget), random_(seed) {}

  // A request failed for the `attempts`-th time: when to send it again, or never.
  std::optional<Deadline> after_failure(const absl::Status& failure, int attempts, Deadline now,
                                        Deadline deadline);

 private:
  const RetryOptions options_;
  RetryBudget& budget_;
  std::mt19937_64 random_;
};

}  // namespace flow::client
