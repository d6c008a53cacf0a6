// SPDX-License-Identifier: Apache-2.0
//
// When a process that ended is started again, and when no more.
#include "host/supervisor/restart_policy.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

#include "flow_driver.hpp"
#include "gtest/gtest.h"

namespace flow::host {
namespace {

using namespace std::chrono_literals;

class RestartPolicyTest : public ::testing::Test {
 protected:
  RestartDecision on_exit(ExitKind kind = ExitKind::Failure,
                          std::chrono::nanoseconds healthy = 0s) {
    return policy_.on_exit(now_, kind, healthy, random_);
  }
  void use(core::SuperviseConfig config) { policy_ = RestartPolicy(config); }

  Moment now_ = test_moment();
  std::mt19937_64 random_{7};
  RestartPolicy policy_{core::SuperviseConfig{}};
};

struct Row {
  core::RestartPolicy policy;
  ExitKind kind;
  bool restarts;
};

TEST_F(RestartPolicyTest, FollowsTheTableOfPolicies) {
  using enum core::RestartPolicy;
  const std::vector<Row> rows = {
      {OnFailure, ExitKind::Failure, true}, {OnFailure, ExitKind::Clean, false},
      {Always, ExitKind::Failure, true},    {Always, ExitKind::Clean, true},
      {Never, ExitKind::Failure, false},    {Never, ExitKind::Clean, false},
  };
  for (const Row& row : rows) {
    core::SuperviseConfig config;
    config.restart = row.policy;
    use(config);

    const RestartDecision decision = on_exit(row.kind);

    EXPECT_EQ(std::holds_alternative<Restart>(decision), row.restarts) << describe(decision);
    EXPECT_FALSE(std::holds_alternative<GiveUp>(decision));
  }
}

TEST_F(RestartPolicyTest, DoublesTheDelayAndAddsUpToHalfOfIt) {
  core::SuperviseConfig config;
  config.restarts = 1000;
  use(config);

  std::chrono::nanoseconds base = config.backoff_first;
  for (int i = 0; i < 100; ++i) {
    const auto restart = std::get<Restart>(on_exit());
    const auto delay = restart.at.steady - now_.steady;
    EXPECT_GE(delay, base);
    EXPECT_LE(delay, base + base / 2);
    EXPECT_EQ(restart.at.wall - now_.wall, delay);
    base = std::min(base * 2, config.backoff_last);
    now_ = restart.at;
  }
}

TEST_F(RestartPolicyTest, WhatServedIsRestartedAtOnceTheFirstTimeOnly) {
  const auto first = std::get<Restart>(on_exit(ExitKind::Failure, 1ms));
  EXPECT_EQ(first.at.steady, now_.steady);
  EXPECT_EQ(first.at.wall, now_.wall);
  EXPECT_EQ(first.attempt, 1U);

  const core::SuperviseConfig config;
  const auto second = std::get<Restart>(on_exit(ExitKind::Failure, 1ms)).at.steady - now_.steady;
  EXPECT_GE(second, config.backoff_first);
  EXPECT_LE(second, config.backoff_first * 3 / 2);
  const auto third = std::get<Restart>(on_exit(ExitKind::Failure, 1ms)).at.steady - now_.steady;
  EXPECT_GE(third, config.backoff_first * 2);
}

TEST_F(RestartPolicyTest, WhatNeverServedWaits) {
  EXPECT_GE(std::get<Restart>(on_exit()).at.steady - now_.steady,
            core::SuperviseConfig{}.backoff_first);
  // Having waited, it is no longer in a hurry.
  EXPECT_GE(std::get<Restart>(on_exit(ExitKind::Failure, 1ms)).at.steady - now_.steady,
            core::SuperviseConfig{}.backoff_first * 2);
}

TEST_F(RestartPolicyTest, TheDelaysAreConfigured) {
  core::SuperviseConfig config;
  config.restarts = 10;
  config.backoff_first = 1s;
  config.backoff_last = 1500ms;
  use(config);
  const auto delay = [&] { return std::get<Restart>(on_exit()).at.steady - now_.steady; };
  EXPECT_LE(delay(), 1500ms);
  for (int i = 0; i < 5; ++i) {
    const auto next = delay();
    EXPECT_GE(next, 1500ms);
    EXPECT_LE(next, 2250ms);
  }
}

TEST_F(RestartPolicyTest, TheLongestDelaysThereAreDoNotOverflow) {
  core::SuperviseConfig config;
  config.restarts = 100;
  config.backoff_first = config.backoff_last = std::chrono::hours(24 * 365);
  use(config);
  for (int i = 0; i < 50; ++i) EXPECT_GT(std::get<Restart>(on_exit()).at.steady, now_.steady);
}

TEST_F(RestartPolicyTest, TheSameSeedGivesTheSameDelays) {
  RestartPolicy other{core::SuperviseConfig{}};
  std::mt19937_64 random(7);
  const auto mine = std::get<Restart>(on_exit()).at.steady;
  const auto theirs =
      std::get<Restart>(other.on_exit(now_, ExitKind::Failure, 0s, random)).at.steady;
  EXPECT_EQ(mine, theirs);
}

TEST_F(RestartPolicyTest, CountsAttemptsAndGivesUpWhenTheBudgetIsSpent) {
  for (std::uint32_t i = 1; i <= 5; ++i) {
    const auto restart = std::get<Restart>(on_exit());
    EXPECT_EQ(restart.attempt, i);
    EXPECT_EQ(restart.of, 5U);
    now_ = restart.at + 10ms;
  }

  const RestartDecision last = on_exit();

  ASSERT_TRUE(std::holds_alternative<GiveUp>(last));
  EXPECT_EQ(describe(last), "given up: 5 restarts within 60 s");
}

TEST_F(RestartPolicyTest, RestartsOutsideTheWindowDoNotCount) {
  for (int i = 0; i < 5; ++i) now_ = std::get<Restart>(on_exit()).at;
  now_ = now_ + 60s;

  const auto restart = std::get<Restart>(on_exit());

  EXPECT_EQ(restart.attempt, 1U);
}

TEST_F(RestartPolicyTest, ALongHealthyRunForgets) {
  for (int i = 0; i < 5; ++i) now_ = std::get<Restart>(on_exit()).at;
  now_ = now_ + 60s;

  const auto restart = std::get<Restart>(on_exit(ExitKind::Failure, 60s));

  EXPECT_EQ(restart.attempt, 1U);
  EXPECT_EQ(restart.at.steady, now_.steady);
}

TEST_F(RestartPolicyTest, AShortHealthyRunDoesNotForget) {
  const auto first = std::get<Restart>(on_exit());
  now_ = first.at + 59s;

  const auto second = std::get<Restart>(on_exit(ExitKind::Failure, 59s));

  EXPECT_EQ(second.attempt, 2U);
  EXPECT_GE(second.at.steady - now_.steady, core::SuperviseConfig{}.backoff_first * 2);
}

TEST_F(RestartPolicyTest, ABudgetOfNoneGivesUpAtOnce) {
  core::SuperviseConfig config;
  config.restarts = 0;
  use(config);
  EXPECT_EQ(describe(on_exit()), "given up: restarts = 0");
}

TEST_F(RestartPolicyTest, ABudgetOfOneIsSingular) {
  core::SuperviseConfig config;
  config.restarts = 1;
  use(config);
  now_ = std::get<Restart>(on_exit()).at;
  EXPECT_EQ(describe(on_exit()), "given up: 1 restart within 60 s");
}

TEST_F(RestartPolicyTest, SaysWhenAndWhichRestartItIs) {
  const Restart restart{test_moment() + 107ms, 1, 5};
  EXPECT_EQ(describe(restart), "restart 1 of 5 at 08:15:30.230Z");
}

TEST_F(RestartPolicyTest, SaysWhyItStaysDown) {
  core::SuperviseConfig config;
  config.restart = core::RestartPolicy::Never;
  use(config);
  EXPECT_EQ(describe(on_exit()), "not restarted: restart = \"never\"");
  config.restart = core::RestartPolicy::OnFailure;
  use(config);
  EXPECT_EQ(describe(on_exit(ExitKind::Clean)),
            "not restarted: restart = \"on-failure\" and this was none");
}

TEST_F(RestartPolicyTest, NeverStartsMoreThanTheBudgetInAnyWindow) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    std::mt19937_64 random(seed);
    core::SuperviseConfig config;
    config.restarts = static_cast<std::uint32_t>(1 + seed % 6);
    RestartPolicy policy(config);
    std::vector<std::chrono::steady_clock::time_point> starts;
    Moment now = test_moment();
    for (int i = 0; i < 500; ++i) {
      const auto run = std::chrono::milliseconds(random() % 40'000);
      const RestartDecision decision = policy.on_exit(now, ExitKind::Failure, run, random);
      if (const auto* restart = std::get_if<Restart>(&decision)) {
        starts.push_back(restart->at.steady);
        now = restart->at;
      }
      now = now + run;
    }
    for (std::size_t i = config.restarts; i < starts.size(); ++i) {
      // `i` and the `restarts` before it are one more than a window may hold.
      EXPECT_GE(starts[i] - starts[i - config.restarts], config.restart_window) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace flow::host
