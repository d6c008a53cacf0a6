// SPDX-License-Identifier: Apache-2.0
// Protects the traffic from a replica that is well by its own word only, and the replicas from
// being avoided all at once.
#include "gateway/executors/ejections.hpp"

#include <deque>
#include <random>
#include <utility>

#include "gtest/gtest.h"

namespace flow::gateway {
namespace {

using namespace std::chrono_literals;
namespace limits = core::limits;
using Standing = Ejections::Standing;

constexpr Clock::time_point kStart = Clock::time_point(1h);

// Fails its calls in a row until it is out.
std::optional<Ejections::Ejected> fail_until_out(Ejections& ejections, std::size_t replica,
                                                 Clock::time_point now, bool others = true) {
  for (std::uint32_t i = 0; i < limits::kEjectAfter; ++i) {
    if (auto ejected = ejections.failed(replica, now, false, others, "broken")) return ejected;
  }
  return std::nullopt;
}

TEST(Ejections, AFewFailuresAreChance) {
  Ejections ejections(2);
  for (int round = 0; round < 3; ++round) {
    for (std::uint32_t i = 1; i < limits::kEjectAfter; ++i) {
      EXPECT_FALSE(ejections.failed(0, kStart, false, true, "x"));
    }
    for (int i = 0; i < 20; ++i) ejections.succeeded(0, kStart, false);
  }
  EXPECT_FALSE(ejections.any());
}

TEST(Ejections, FailuresInARowAreNot) {
  Ejections ejections(2);
  const auto ejected = fail_until_out(ejections, 0, kStart);
  ASSERT_TRUE(ejected);
  EXPECT_EQ(ejected->length, limits::kEjectFirst);
  EXPECT_EQ(ejected->why, "5 calls in a row failed, last: broken");
  EXPECT_EQ(ejections.standing(0, kStart), Standing::Out);
  EXPECT_EQ(ejections.standing(1, kStart), Standing::In);
}

TEST(Ejections, NorIsAHalfOfManyCalls) {
  Ejections ejections(2);
  std::optional<Ejections::Ejected> ejected;
  for (std::uint32_t i = 0; i < limits::kEjectCallsMin / 2; ++i) {
    ASSERT_FALSE(ejected);
    ejections.succeeded(0, kStart + i * 1ms, false);
    ejected = ejections.failed(0, kStart + i * 1ms, false, true, "no");
  }
  ASSERT_TRUE(ejected);
  EXPECT_EQ(ejected->why, "10 of 20 calls failed, last: no");
}

TEST(Ejections, FailuresOfLongAgoDoNotCountForTheHalf) {
  Ejections ejections(2);
  for (int i = 0; i < 100; ++i) {
    const auto now = kStart + i * limits::kEjectWindow / 8;
    ejections.succeeded(0, now, false);
    EXPECT_FALSE(ejections.failed(0, now, false, true, "x")) << "18 in a window are few";
  }
}

TEST(Ejections, NeverMoreThanHalfOfThemAreOut) {
  for (const std::size_t replicas : {1, 2, 3, 4, 5, 9}) {
    Ejections ejections(replicas);
    std::size_t out = 0;
    for (std::size_t i = 0; i < replicas; ++i) {
      if (fail_until_out(ejections, i, kStart)) ++out;
    }
    EXPECT_EQ(out, replicas / 2) << replicas;
  }
}

TEST(Ejections, TheLastOneIsNeverOut) {
  Ejections ejections(2);
  EXPECT_FALSE(fail_until_out(ejections, 0, kStart, false));
  EXPECT_TRUE(ejections.failed(0, kStart, false, true, "x")) << "now there is another one";
}

TEST(Ejections, AfterItsTimeOneCallTriesIt) {
  Ejections ejections(2);
  fail_until_out(ejections, 0, kStart);
  EXPECT_FALSE(ejections.call_started(0, kStart));
  const auto later = kStart + limits::kEjectFirst;
  EXPECT_EQ(ejections.standing(0, later), Standing::Trial);
  EXPECT_TRUE(ejections.call_started(0, later));
  EXPECT_EQ(ejections.standing(0, later), Standing::Out) << "one is enough";
  EXPECT_FALSE(ejections.call_started(0, later));
  EXPECT_TRUE(ejections.succeeded(0, later, true));
  EXPECT_EQ(ejections.standing(0, later), Standing::In);
  EXPECT_FALSE(ejections.any());
}

TEST(Ejections, ATrialThatFailsDoublesTheTimeUpToABound) {
  Ejections ejections(2);
  auto now = kStart;
  auto length = fail_until_out(ejections, 0, now)->length;
  for (int i = 0; i < 10; ++i) {
    now += length;
    ASSERT_TRUE(ejections.call_started(0, now));
    const auto again = ejections.failed(0, now, true, true, "still");
    ASSERT_TRUE(again);
    EXPECT_EQ(again->why, "its trial call failed: still");
    EXPECT_EQ(again->length, std::min<Clock::duration>(2 * length, limits::kEjectLast));
    length = again->length;
  }
  EXPECT_EQ(length, limits::kEjectLast);
}

TEST(Ejections, ATrialThatSaysNothingIsRepeated) {
  Ejections ejections(2);
  fail_until_out(ejections, 0, kStart);
  const auto later = kStart + limits::kEjectFirst;
  ASSERT_TRUE(ejections.call_started(0, later));
  ejections.abandoned(0, true);
  EXPECT_EQ(ejections.standing(0, later), Standing::Trial);
}

TEST(Ejections, CallsFromBeforeProveNothing) {
  Ejections ejections(2);
  fail_until_out(ejections, 0, kStart);
  EXPECT_FALSE(ejections.succeeded(0, kStart, false));
  EXPECT_FALSE(ejections.failed(0, kStart, false, true, "x"));
  EXPECT_EQ(ejections.standing(0, kStart), Standing::Out);
}

TEST(Ejections, OneThatRelapsesSoonIsOutForLonger) {
  Ejections ejections(2);
  fail_until_out(ejections, 0, kStart);
  const auto later = kStart + limits::kEjectFirst;
  ejections.call_started(0, later);
  ejections.succeeded(0, later, true);
  EXPECT_EQ(fail_until_out(ejections, 0, later + 1s)->length, 2 * limits::kEjectFirst);
}

TEST(Ejections, OneThatWasWellForLongStartsAfresh) {
  Ejections ejections(2);
  fail_until_out(ejections, 0, kStart);
  const auto later = kStart + limits::kEjectFirst;
  ejections.call_started(0, later);
  ejections.succeeded(0, later, true);
  EXPECT_EQ(fail_until_out(ejections, 0, later + limits::kEjectLast)->length, limits::kEjectFirst);
}

TEST(Ejections, ANewProcessIsAsGoodAsAnyOther) {
  Ejections ejections(2);
  fail_until_out(ejections, 0, kStart);
  EXPECT_TRUE(ejections.let_in(0));
  EXPECT_FALSE(ejections.let_in(0));
  EXPECT_EQ(ejections.standing(0, kStart), Standing::In);
  EXPECT_FALSE(ejections.failed(0, kStart, false, true, "x"));
}

TEST(Ejections, HoldsItsBoundsInAnyHistory) {
  std::mt19937 random(7);
  for (int history = 0; history < 2000; ++history) {
    const std::size_t replicas = 1 + random() % 5;
    Ejections ejections(replicas);
    std::deque<bool> trials(replicas);
    auto now = kStart;
    for (int step = 0; step < 200; ++step) {
      now += std::chrono::milliseconds(random() % 500);
      const std::size_t replica = random() % replicas;
      switch (random() % 8) {
        case 0:
          trials[replica] = ejections.call_started(replica, now) || trials[replica];
          break;
        case 1:
          ejections.succeeded(replica, now, std::exchange(trials[replica], false));
          break;
        case 2:
          ejections.abandoned(replica, std::exchange(trials[replica], false));
          break;
        case 3:
          ejections.let_in(replica);
          trials[replica] = false;
          break;
        default:
          if (const auto ejected = ejections.failed(
                  replica, now, std::exchange(trials[replica], false), random() % 4 != 0, "x")) {
            EXPECT_GE(ejected->length, limits::kEjectFirst);
            EXPECT_LE(ejected->length, limits::kEjectLast);
          }
      }
      std::size_t out = 0;
      for (std::size_t i = 0; i < replicas; ++i) {
        if (ejections.standing(i, now) != Standing::In) ++out;
      }
      ASSERT_LE(out * 2, replicas) << "history " << history;
      ASSERT_EQ(out > 0, ejections.any());
    }
  }
}

}  // namespace
}  // namespace flow::gateway
