// SPDX-License-Identifier: Apache-2.0
#include "gateway/executors/call_stats.hpp"

#include <algorithm>
#include <bit>

namespace flow::gateway {
namespace {

std::int64_t second_of(Clock::time_point time) {
  return time.time_since_epoch() / std::chrono::seconds(1);
}

}  // namespace

// Below 8 each value has its own; from there on the highest bit and the three below it choose.
std::size_t CallStats::bucket_of(std::uint64_t microseconds) {
  if (microseconds < 8) return static_cast<std::size_t>(microseconds);
  const auto shift = static_cast<std::size_t>(std::bit_width(microseconds)) - 4;
  return std::min(shift * 8 + static_cast<std::size_t>(microseconds >> shift), kBuckets - 1);
}

std::chrono::microseconds CallStats::middle_of(std::size_t bucket) {
  if (bucket < 16) return std::chrono::microseconds(bucket);
  const std::size_t shift = bucket / 8 - 1;
  const std::uint64_t first = (bucket % 8 + 8) << shift;
  return std::chrono::microseconds(first + ((std::uint64_t{1} << shift) - 1) / 2);
}

void CallStats::record(Clock::time_point started, Clock::time_point ended, Outcome outcome) {
  ++calls_;
  if (outcome == Outcome::Failed) ++failures_;
  const std::int64_t now = second_of(ended);
  Second& second = seconds_[static_cast<std::size_t>(now % kSeconds)];
  if (second.second != now) second = {now, {}};
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(ended - started).count();
  ++second.counts[bucket_of(static_cast<std::uint64_t>(std::max<std::int64_t>(took, 0)))];
}

void CallStats::process(std::int64_t pid) {
  if (pid == 0 || pid == pid_) return;
  if (pid_ != 0) ++restarts_;
  pid_ = pid;
}

void CallStats::take_over(const CallStats& before) {
  since_ = before.since_;
  calls_ += before.calls_;
  failures_ += before.failures_;
  restarts_ += before.restarts_;
  for (std::size_t i = 0; i < seconds_.size(); ++i) {
    const Second& theirs = before.seconds_[i];
    Second& ours = seconds_[i];
    if (theirs.second > ours.second) ours = {theirs.second, {}};
    if (theirs.second != ours.second) continue;
    for (std::size_t j = 0; j < kBuckets; ++j) ours.counts[j] += theirs.counts[j];
  }
}

CallStats::Snapshot CallStats::snapshot(Clock::time_point now) const {
  Snapshot result;
  result.calls = calls_;
  result.failures = failures_;
  result.restarts = restarts_;
  const std::int64_t last = second_of(now);
  std::array<std::uint64_t, kBuckets> counts{};
  std::uint64_t total = 0;
  for (const Second& second : seconds_) {
    if (second.second <= last - kSeconds || second.second > last) continue;
    for (std::size_t i = 0; i < kBuckets; ++i) {
      counts[i] += second.counts[i];
      total += second.counts[i];
    }
  }

  // Nine whole seconds and the part of this one that is over; less if it is younger, but a call in
  // its first moments is not a thousand per second.
  const std::chrono::duration<double> part = now.time_since_epoch() - std::chrono::seconds(last);
  const std::chrono::duration<double> age = now - since_;
  const double window = std::min(static_cast<double>(kSeconds - 1) + part.count(), age.count());
  result.calls_per_second = static_cast<double>(total) / std::max(window, 1.0);

  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets && total > 0; ++i) {
    seen += counts[i];
    if (!result.p50 && seen * 2 >= total) result.p50 = middle_of(i);
    if (!result.p99 && seen * 100 >= total * 99) result.p99 = middle_of(i);
  }
  return result;
}

}  // namespace flow::gateway
