// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "gateway/net/loop.hpp"

namespace flow::gateway {

// What one replica did in its calls: counts since the gateway's start, and rate and latency over
// the last ten seconds. Recording one is a division and two increments. Bounded: 7 KiB. Knows no
// clock. Confined to its loop.
class CallStats {
 public:
  enum class Outcome { Answered, Failed };

  explicit CallStats(Clock::time_point now) : since_(now) {}

  // A call ended.
  void record(Clock::time_point started, Clock::time_point ended, Outcome outcome);
  // One that was answered was answered with an executor's error. Counted on trial only.
  void count_error() { ++errors_; }
  // The supervisor names its process; 0: it has none.
  void process(std::int64_t pid);

  // What the one before it, of the same replica, did counts as this one's from now on.
  void take_over(const CallStats& before);

  std::uint64_t answered() const { return calls_ - failures_; }
  std::uint64_t failed() const { return failures_; }
  std::uint64_t errors() const { return errors_; }

  struct Snapshot {
    std::uint64_t calls = 0;     // that ended, however
    std::uint64_t failures = 0;  // of them: no answer, or not in time
    std::uint64_t restarts = 0;  // new processes after the first
    double calls_per_second = 0;
    // Of the calls of the last ten seconds, within 7 %; nothing if there were none.
    std::optional<std::chrono::microseconds> p50;
    std::optional<std::chrono::microseconds> p99;
  };
  Snapshot snapshot(Clock::time_point now) const;

 private:
  // Eight buckets per power of two, from 1 us to 16 s and more than that.
  static constexpr std::size_t kBuckets = 176;
  static constexpr std::int64_t kSeconds = 10;
  struct Second {
    std::int64_t second = -1;  // of the steady clock
    std::array<std::uint32_t, kBuckets> counts{};
  };

  static std::size_t bucket_of(std::uint64_t microseconds);
  static std::chrono::microseconds middle_of(std::size_t bucket);

  Clock::time_point since_;
  std::uint64_t calls_ = 0;
  std::uint64_t failures_ = 0;
  std::uint64_t errors_ = 0;
  std::uint64_t restarts_ = 0;
  std::int64_t pid_ = 0;
  std::array<Second, kSeconds> seconds_;
};

}  // namespace flow::gateway
