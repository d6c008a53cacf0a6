// SPDX-License-Identifier: Apache-2.0
// What is counted of the calls to a replica.
#include "gateway/executors/call_stats.hpp"

#include "gtest/gtest.h"

namespace flow::gateway {
namespace {

using namespace std::chrono_literals;
using Outcome = CallStats::Outcome;

constexpr Clock::time_point kStart{1000s};

double off_by(std::chrono::microseconds got, std::chrono::microseconds wanted) {
  return std::abs(static_cast<double>((got - wanted).count())) /
         static_cast<double>(wanted.count());
}

TEST(CallStats, OfAReplicaThatWasNotCalledAreEmpty) {
  const CallStats stats(kStart);
  const auto snapshot = stats.snapshot(kStart + 5s);
  EXPECT_EQ(snapshot.calls, 0U);
  EXPECT_EQ(snapshot.calls_per_second, 0);
  EXPECT_FALSE(snapshot.p50);
  EXPECT_FALSE(snapshot.p99);
}

TEST(CallStats, CountCallsAndFailures) {
  CallStats stats(kStart);
  stats.record(kStart, kStart + 1ms, Outcome::Answered);
  stats.record(kStart, kStart + 1ms, Outcome::Failed);
  const auto snapshot = stats.snapshot(kStart + 2ms);
  EXPECT_EQ(snapshot.calls, 2U);
  EXPECT_EQ(snapshot.failures, 1U);
}

TEST(CallStats, GiveLatenciesWithinSevenPercent) {
  for (const auto latency :
       {1us, 7us, 8us, 15us, 16us, 17us, 99us, 1000us, 12345us, 999999us, 11000000us, 3000000us}) {
    CallStats stats(kStart);
    stats.record(kStart, kStart + latency, Outcome::Answered);
    const auto snapshot = stats.snapshot(kStart + latency);
    EXPECT_LE(off_by(*snapshot.p50, latency), 0.07) << latency.count();
    EXPECT_EQ(snapshot.p50, snapshot.p99);
  }
}

TEST(CallStats, LatenciesOutsideTheScaleAreAtItsEnds) {
  CallStats stats(kStart);
  stats.record(kStart + 1s, kStart, Outcome::Answered);  // a clock that went back
  EXPECT_EQ(*stats.snapshot(kStart).p50, 0us);
  CallStats slow(kStart);
  slow.record(kStart - 1h, kStart, Outcome::Answered);
  EXPECT_GE(*slow.snapshot(kStart).p50, 3s);
}

TEST(CallStats, TellTheMedianFromTheSlowest) {
  CallStats stats(kStart);
  for (int i = 0; i < 98; ++i) stats.record(kStart, kStart + 1ms, Outcome::Answered);
  for (int i = 0; i < 2; ++i) stats.record(kStart, kStart + 100ms, Outcome::Answered);
  const auto snapshot = stats.snapshot(kStart + 1s);
  EXPECT_LE(off_by(*snapshot.p50, 1ms), 0.07);
  EXPECT_LE(off_by(*snapshot.p99, 100ms), 0.07);
}

TEST(CallStats, RateIsOverTheLastTenSeconds) {
  CallStats stats(kStart);
  for (int i = 0; i < 3000; ++i) {
    const auto time = kStart + i * 10ms;
    stats.record(time, time, Outcome::Answered);
  }
  EXPECT_NEAR(stats.snapshot(kStart + 30s - 1ms).calls_per_second, 100, 2);
  EXPECT_NEAR(stats.snapshot(kStart + 34s).calls_per_second, 60, 8);
  EXPECT_EQ(stats.snapshot(kStart + 40s).calls_per_second, 0);
  EXPECT_FALSE(stats.snapshot(kStart + 40s).p50);
  EXPECT_EQ(stats.snapshot(kStart + 40s).calls, 3000U);
}

TEST(CallStats, RateOfAYoungReplicaIsOverItsAge) {
  CallStats stats(kStart);
  stats.record(kStart, kStart, Outcome::Answered);
  EXPECT_EQ(stats.snapshot(kStart + 1ms).calls_per_second, 1);
  EXPECT_NEAR(stats.snapshot(kStart + 4s).calls_per_second, 0.25, 0.001);
}

TEST(CallStats, EachProcessAfterTheFirstIsARestart) {
  CallStats stats(kStart);
  for (const std::int64_t pid : {0, 7, 7, 0, 8, 8, 0}) stats.process(pid);
  EXPECT_EQ(stats.snapshot(kStart).restarts, 1U);
  stats.process(9);
  EXPECT_EQ(stats.snapshot(kStart).restarts, 2U);
}

TEST(CallStats, OneThatTakesOverGoesOnWithWhatWasCounted) {
  CallStats before(kStart);
  before.process(7);
  before.process(8);
  CallStats after(kStart + 5s);
  after.process(9);
  for (int i = 0; i < 10; ++i) {
    const auto time = kStart + i * 1s;
    before.record(time, time + 1ms, Outcome::Answered);
    if (i >= 5) after.record(time, time + 1ms, i == 9 ? Outcome::Failed : Outcome::Answered);
  }

  after.take_over(before);

  const auto snapshot = after.snapshot(kStart + 10s - 1ms);
  EXPECT_EQ(snapshot.calls, 15U);
  EXPECT_EQ(snapshot.failures, 1U);
  EXPECT_EQ(snapshot.restarts, 1U) << "a swap is none";
  EXPECT_NEAR(snapshot.calls_per_second, 1.5, 0.01);
  EXPECT_EQ(after.answered(), 14U);
}

}  // namespace
}  // namespace flow::gateway
