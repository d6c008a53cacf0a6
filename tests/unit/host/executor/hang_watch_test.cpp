// SPDX-License-Identifier: Apache-2.0
//
// Busy or hung, on virtual time.
#include "host/executor/hang_watch.hpp"

#include <gmock/gmock.h>

#include <map>
#include <random>
#include <string>

namespace flow::host {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::chrono::nanoseconds kInterval = 100ms;
constexpr std::chrono::nanoseconds kLate = 500ms;

std::uint64_t ns(std::chrono::nanoseconds duration) {
  return static_cast<std::uint64_t>(duration.count());
}

class HangWatchTest : public testing::Test {
 protected:
  HangWatchTest() { look(); }

  // What is overdue at a look right now.
  std::vector<std::string> look() {
    std::vector<Watched> shown;
    std::vector<std::string> names;
    for (const auto& [name, watched] : under_way) {
      shown.push_back(watched);
      names.push_back(name);
    }
    last = watch.look(ns(now), shown);
    std::vector<std::string> overdue;
    for (const auto& each : last.overdue) overdue.push_back(names[each.place]);
    return overdue;
  }
  // Looks whenever it is asked to, until then.
  std::vector<std::string> look_until(std::chrono::nanoseconds until) {
    std::vector<std::string> overdue;
    while (now < until && overdue.empty()) {
      now = std::min(until, std::chrono::nanoseconds(last.next_ns));
      overdue = look();
    }
    return overdue;
  }
  void begin(const std::string& name, std::chrono::nanoseconds budget) {
    under_way[name] = {&under_way[name], ns(now), ns(budget)};
  }
  void progress(const std::string& name) { under_way[name].since_ns = ns(now); }

  std::chrono::nanoseconds now = 1h;
  std::map<std::string, Watched> under_way;
  HangWatch watch{kInterval, kLate};
  HangWatch::Look last;
};

TEST_F(HangWatchTest, LooksAgainSoonIfThereIsNothing) {
  EXPECT_THAT(look(), IsEmpty());
  EXPECT_EQ(last.next_ns, ns(now + kInterval));
}

TEST_F(HangWatchTest, CallsHungWhatIsSilentForItsBudgetAtThatVeryMoment) {
  now += 30ms;
  begin("call", 30s);
  EXPECT_THAT(look_until(2h), ElementsAre("call"));
  EXPECT_EQ(now, 1h + 30ms + 30s);
  EXPECT_EQ(last.overdue.front().silent, 30s);
}

TEST_F(HangWatchTest, DoesNotCallBusyHungWhateverItTakes) {
  begin("call", 1s);
  for (int i = 0; i < 10'000; ++i) {
    EXPECT_THAT(look_until(now + 990ms), IsEmpty());
    progress("call");
  }
  EXPECT_THAT(look_until(2 * now), ElementsAre("call"));
}

TEST_F(HangWatchTest, SeesABudgetThatIsShorterThanBetweenTwoLooks) {
  begin("call", 7ms);
  EXPECT_THAT(look(), IsEmpty());
  EXPECT_EQ(last.next_ns, ns(now + 7ms));
  EXPECT_THAT(look_until(2h), ElementsAre("call"));
  EXPECT_EQ(now, 1h + 7ms);
}

TEST_F(HangWatchTest, SaysItAgainForAsLongAsItIsShown) {
  begin("call", 1s);
  EXPECT_THAT(look_until(2h), ElementsAre("call"));
  EXPECT_THAT(look(), ElementsAre("call"));
  EXPECT_GT(last.next_ns, ns(now)) << "but not all the time";
  under_way.clear();
  EXPECT_THAT(look(), IsEmpty());
}

TEST_F(HangWatchTest, KeepsThingsApart) {
  begin("a", 3s);
  begin("b", 2s);
  EXPECT_THAT(look_until(2h), ElementsAre("b"));
  under_way.erase("b");
  now += 10ms;
  begin("c", 1s);
  EXPECT_THAT(look_until(2h), ElementsAre("a"));
  EXPECT_EQ(now, 1h + 3s);
  under_way.erase("a");
  EXPECT_THAT(look_until(2h), ElementsAre("c"));
}

TEST_F(HangWatchTest, StartsAnewWithTheNextCallInTheSamePlace) {
  begin("call", 1s);
  look_until(now + 900ms);
  begin("call", 1s);
  EXPECT_THAT(look_until(now + 990ms), IsEmpty());
}

TEST_F(HangWatchTest, DoesNotCountTimeInWhichNobodyLooked) {
  begin("call", 2s);
  look_until(now + 1s);
  now += 1h;  // the process was stopped
  EXPECT_THAT(look(), IsEmpty());
  EXPECT_THAT(look_until(now + 499ms), IsEmpty()) << "1 s, then 500 ms of that hour";
  EXPECT_THAT(look_until(now + 2ms), ElementsAre("call"));
}

TEST_F(HangWatchTest, DoesNotCountItForACallThatBeganShortlyBeforeEither) {
  begin("call", 2s);
  now += 1h;
  EXPECT_THAT(look(), IsEmpty());
  EXPECT_THAT(look_until(now + 1s), IsEmpty());
}

TEST_F(HangWatchTest, IsNotConfusedByASignOfLifeFromAfterTheClockWasRead) {
  begin("call", 1s);
  under_way["call"].since_ns = ns(now + 5ms);
  EXPECT_THAT(look(), IsEmpty());
  EXPECT_THAT(look_until(now + 999ms), IsEmpty());
}

// Whatever comes and goes: nothing is called hung before its budget, and nothing much after it.
TEST_F(HangWatchTest, IsNeitherEarlyNorLateInRandomHistories) {
  std::mt19937 random(3);
  const auto pick = [&](int below) { return static_cast<int>(random() % below); };
  for (int step = 0; step < 50'000; ++step) {
    const std::string name(1, static_cast<char>('a' + pick(6)));
    switch (pick(4)) {
      case 0:
        if (!under_way.contains(name)) begin(name, std::chrono::milliseconds(1 + pick(2000)));
        break;
      case 1:
        if (under_way.contains(name)) progress(name);
        break;
      default:
        now = std::min(now + std::chrono::milliseconds(pick(150)),
                       std::chrono::nanoseconds(last.next_ns));
        break;
    }
    if (ns(now) < last.next_ns && pick(3) != 0) continue;
    for (const auto& overdue : look()) {
      const auto& watched = under_way[overdue];
      ASSERT_GE(ns(now) - watched.since_ns, watched.budget_ns) << step;
      under_way.erase(overdue);
    }
    for (const auto& [left, watched] : under_way) {
      ASSERT_LT(ns(now) - watched.since_ns, watched.budget_ns) << step;
    }
  }
}

}  // namespace
}  // namespace flow::host
