// SPDX-License-Identifier: Apache-2.0
//
// A Flow that was ready once: ends are answered by restarts, the gateway's verdict is passed on.
#include <csignal>

#include "core/limits.hpp"
#include "flow_driver.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::host {
namespace {

using namespace std::chrono_literals;
using core::ReplicaState;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Pair;
using How = ProcessExit::How;
constexpr std::size_t kGateway = FlowPlan::kGateway;

class FlowSupervise : public ::testing::Test {
 protected:
  explicit FlowSupervise(core::FlowConfig config = test_config({test_executor("a"),
                                                                test_executor("b", {"a"})}))
      : flow(std::move(config)) {
    flow.make_ready();
  }
  const ReplicaStatus& replica(std::size_t place) { return flow.state.replicas()[place]; }

  FlowDriver flow;
};

TEST_F(FlowSupervise, WithoutEventsThereIsNothingToWaitFor) {
  EXPECT_EQ(flow.state.deadline(), std::nullopt);
}

TEST_F(FlowSupervise, AKilledExecutorIsRestartedAndTheReasonSaysEverything) {
  flow.published.clear();

  flow.crash(1);

  EXPECT_EQ(replica(0).state, ReplicaState::Backoff);
  EXPECT_EQ(replica(0).pid, 0);
  EXPECT_THAT(replica(0).reason,
              MatchesRegex("process 102 was killed by signal 9 .SIGKILL. at "
                           "2026-11-22T08:15:30.123Z; restart 1 of 5 at 08:15:30.[0-9]{3}Z"));
  EXPECT_THAT(flow.published, ElementsAre(0));
  EXPECT_THAT(flow.logs.back(), HasSubstr("a/rep-0: process 102 was killed by signal 9"));
  EXPECT_THAT(flow.spawns, ElementsAre(1, 1, 1));

  flow.advance();

  EXPECT_THAT(flow.spawns, ElementsAre(1, 2, 1));
  EXPECT_EQ(replica(0).state, ReplicaState::Starting);
  EXPECT_EQ(replica(0).pid, flow.pids[1]);
  const std::string why =
      " (restart 1 of 5): process 102 was killed by signal 9 (SIGKILL) at 2026-11-22T08:15:30.123Z";
  EXPECT_EQ(replica(0).reason, "process 104 is starting" + why);
  flow.notify(1, {{"STATUS", "plugin \"plug\" is in create()"}});
  EXPECT_EQ(replica(0).reason, "plugin \"plug\" is in create()" + why);
  flow.notify(1, {{"READY", "1"}});
  EXPECT_EQ(replica(0).state, ReplicaState::Ready);
  EXPECT_FALSE(flow.quit);
}

TEST_F(FlowSupervise, TheReasonQuotesWhatTheProcessSaidLast) {
  flow.notify(1, {{"X_FLOW_FAILURE", "hang budget spent"}});
  flow.exit(1, {How::Exited, 1});
  EXPECT_THAT(replica(0).reason, HasSubstr("exited with status 1 at 2026-11-22T08:15:30.123Z: hang "
                                           "budget spent; restart 1 of 5"));
}

// ---- hangs --------------------------------------------------------------------------------------

const std::string kStuck = "call \"3f2a\" at /index made no progress for 30.0 s (hang_budget)";

TEST_F(FlowSupervise, AnExecutorThatHangsSaysWhyIsKilledAfterAGraceAndRestarted) {
  flow.published.clear();
  flow.notify(1, {{"X_FLOW_HUNG", kStuck}});

  EXPECT_EQ(replica(0).state, ReplicaState::Hung);
  EXPECT_EQ(replica(0).reason, kStuck);
  EXPECT_THAT(flow.published, ElementsAre(0));
  EXPECT_THAT(flow.logs.back(), HasSubstr("a/rep-0: process 102 hangs and will be killed: call"));
  EXPECT_THAT(flow.signals, IsEmpty());
  flow.pass(100ms);
  flow.notify(1, {{"X_FLOW_HUNG", kStuck}, {"X_FLOW_STACK", "thread 7:\t#0 f()"}});
  EXPECT_EQ(flow.state.deadline(), flow.now.steady + core::limits::kHangGrace);

  flow.advance();

  EXPECT_THAT(flow.signals, ElementsAre(Pair(1, SIGKILL)));
  EXPECT_EQ(replica(0).state, ReplicaState::Hung);
  EXPECT_EQ(flow.state.deadline(), std::nullopt);

  flow.crash(1);

  EXPECT_EQ(replica(0).state, ReplicaState::Backoff);
  EXPECT_THAT(replica(0).stacks, ElementsAre("thread 7:", "#0 f()"));
  EXPECT_THAT(replica(0).reason,
              HasSubstr("process 102 was killed by signal 9 (SIGKILL) at 2026-11-22T08:15:31.223Z, "
                        "because " +
                        kStuck + "; restart 1 of 5 at"));
  flow.advance();
  flow.notify(1, {{"READY", "1"}});
  EXPECT_EQ(replica(0).state, ReplicaState::Ready);
  EXPECT_EQ(flow.state.deadline(), std::nullopt);
}

TEST_F(FlowSupervise, TheStackOfAHangStaysWhateverItsProcessDiesOfAndTheNextOnesReplacesIt) {
  flow.notify(1, {{"X_FLOW_HUNG", kStuck}, {"X_FLOW_STACK", "thread 7:\t#0 f()"}});
  flow.exit(1, {How::Killed, SIGSEGV}, {"in libbad.so bad()", {"crash"}});
  EXPECT_THAT(replica(0).stacks, ElementsAre("thread 7:", "#0 f()"));
  EXPECT_THAT(replica(0).reason, HasSubstr("in libbad.so bad(), because " + kStuck));

  flow.advance();
  flow.exit(1, {How::Killed, SIGSEGV}, {"in libbad.so bad()", {"crash"}});
  EXPECT_THAT(replica(0).stacks, ElementsAre("crash"));
}

TEST_F(FlowSupervise, WhatAHungProcessSaysElseDoesNotMakeItReady) {
  flow.notify(1, {{"X_FLOW_HUNG", kStuck}});
  flow.notify(1, {{"READY", "1"}, {"STATUS", "ready and listening"}});
  flow.published.clear();
  flow.notify(1, {{"X_FLOW_HUNG", kStuck}, {"X_FLOW_STACK", "thread 7:\t#0 f()"}});
  EXPECT_THAT(replica(0).stacks, ElementsAre("thread 7:", "#0 f()"));
  EXPECT_THAT(flow.published, ElementsAre(0));
  EXPECT_EQ(replica(0).state, ReplicaState::Hung);
  EXPECT_EQ(replica(0).reason, kStuck);
  flow.advance();
  EXPECT_THAT(flow.signals, ElementsAre(Pair(1, SIGKILL))) << "once, and not later";
}

TEST_F(FlowSupervise, AHungProcessThatDoesNotExplainItselfIsKilledAfterAWhile) {
  flow.notify(1, {{"X_FLOW_HUNG", kStuck}});
  EXPECT_EQ(flow.state.deadline(),
            flow.now.steady + core::limits::kHangExplained + core::limits::kHangGrace);
  flow.advance();
  EXPECT_THAT(flow.signals, ElementsAre(Pair(1, SIGKILL)));
}

TEST_F(FlowSupervise, AHungProcessThatEndsByItselfIsNoCleanEnd) {
  flow.notify(1, {{"X_FLOW_HUNG", kStuck}});
  flow.exit(1, {How::Exited, 0});
  EXPECT_EQ(replica(0).state, ReplicaState::Backoff);
  EXPECT_THAT(replica(0).reason, HasSubstr("exited with status 0 at 2026-11-22T08:15:30.123Z, "
                                           "because call"));
  flow.advance();
  EXPECT_THAT(flow.signals, IsEmpty()) << "the next process is not the one that hung";
}

TEST_F(FlowSupervise, AHangWhileTheFlowStopsChangesNothingOfTheStop) {
  flow.signal(SIGTERM);
  flow.exit(kGateway, {How::Exited, 0});
  flow.notify(2, {{"X_FLOW_HUNG", kStuck}});
  EXPECT_EQ(replica(1).state, ReplicaState::Draining);
  flow.exit(2, {How::Exited, 70});
  flow.exit(1, {How::Exited, 0});
  EXPECT_EQ(flow.quit, 0);
}

TEST_F(FlowSupervise, ExecutorsThatShareAHungProcessAreTakenOutOfServiceToo) {
  FlowDriver shared(test_config({test_executor("a", {}, "p"), test_executor("b", {"a"}, "p")}));
  shared.make_ready();
  shared.notify(1, {{"X_FLOW_EXECUTOR", "b"}, {"X_FLOW_HUNG", kStuck}});
  EXPECT_EQ(shared.state.replicas()[0].state, ReplicaState::Draining);
  EXPECT_EQ(shared.state.replicas()[0].reason, "process 102, which it shares, hangs: " + kStuck);
  EXPECT_EQ(shared.state.replicas()[1].state, ReplicaState::Hung);
  EXPECT_EQ(shared.state.replicas()[1].reason, kStuck);
}

TEST_F(FlowSupervise, TheReasonSaysWhereAProcessCrashedAndTheStackStaysUntilItsNextEnd) {
  flow.exit(1, {How::Killed, SIGSEGV},
            {"in libbad.so bad()+0x1c, request \"3f\" to \"/\"", {"fact", "#0 bad()"}});

  EXPECT_THAT(replica(0).reason,
              MatchesRegex("process 102 was killed by signal 11 .SIGSEGV. at "
                           "2026-11-22T08:15:30.123Z in libbad.so bad..+0x1c, request \"3f\" to "
                           "\"/\"; restart 1 of 5 at .*"));
  EXPECT_THAT(replica(0).stacks, ElementsAre("fact", "#0 bad()"));
  EXPECT_THAT(replica(1).stacks, IsEmpty());

  flow.advance();
  flow.notify(1, {{"READY", "1"}});
  EXPECT_EQ(replica(0).state, ReplicaState::Ready);
  EXPECT_THAT(replica(0).stacks, ElementsAre("fact", "#0 bad()"));

  flow.crash(1);
  EXPECT_THAT(replica(0).stacks, IsEmpty());
}

TEST_F(FlowSupervise, AMessageOfTheProcessBeforeDoesNotCount) {
  const pid_t before = flow.pids[1];
  flow.crash(1);
  flow.advance();
  EXPECT_THAT(flow.state.on_notified(flow.now, before, {{"READY", "1"}}), IsEmpty());
  EXPECT_EQ(replica(0).state, ReplicaState::Starting);
}

TEST_F(FlowSupervise, ACleanEndIsNotRestartedUnlessAlways) {
  flow.exit(1, {How::Exited, 0});
  EXPECT_EQ(replica(0).state, ReplicaState::Failed);
  EXPECT_THAT(replica(0).reason, HasSubstr("not restarted: restart = \"on-failure\""));
  EXPECT_EQ(flow.state.deadline(), std::nullopt);
}

TEST_F(FlowSupervise, AFailedExecutorLeavesTheFlowUp) {
  for (int i = 0; i < 6; ++i) {
    flow.crash(1);
    flow.advance();
  }
  EXPECT_EQ(replica(0).state, ReplicaState::Failed);
  EXPECT_THAT(replica(0).reason, HasSubstr("given up: 5 restarts within 60 s"));
  EXPECT_THAT(flow.spawns, ElementsAre(1, 6, 1));
  EXPECT_FALSE(flow.quit);
  EXPECT_EQ(flow.state.deadline(), std::nullopt);
}

TEST_F(FlowSupervise, ARestartThatCannotBeSpawnedCountsAsAFailure) {
  flow.cannot_spawn = {1};
  flow.crash(1);
  while (flow.advance()) {
  }
  EXPECT_EQ(replica(0).state, ReplicaState::Failed);
  EXPECT_THAT(replica(0).reason, HasSubstr("cannot be started: /bin/it"));
  EXPECT_EQ(flow.spawns[1], 6);
}

TEST_F(FlowSupervise, ARestartThatDoesNotGetReadyIsKilledAndTriedAgain) {
  flow.crash(1);
  flow.advance();
  flow.notify(1, {{"STATUS", "plugin \"plug\" is in create()"}});

  flow.advance();

  EXPECT_THAT(flow.signals, ElementsAre(Pair(1, SIGKILL)));
  EXPECT_EQ(flow.spawns[1], 2);
  flow.crash(1);
  EXPECT_EQ(replica(0).state, ReplicaState::Backoff);
  EXPECT_THAT(replica(0).reason, HasSubstr(", because it was not ready within 60 s; restart 1 of"));
}

TEST_F(FlowSupervise, ANewProcessGetsTheWholeTimeToBecomeReady) {
  flow.pass(300s);
  flow.crash(1);
  flow.advance();
  EXPECT_EQ(*flow.state.deadline() - flow.now.steady, 60s);
}

TEST_F(FlowSupervise, TheGatewayIsRestartedToo) {
  flow.logs.clear();

  flow.crash(kGateway);

  EXPECT_THAT(flow.logs.back(), HasSubstr("gateway/rep-0: process 101 was killed by signal 9"));
  EXPECT_THAT(flow.told.back().at("STATUS"), HasSubstr("the Flow is not ready: the gateway"));
  flow.advance();
  EXPECT_EQ(flow.spawns[kGateway], 2);
  flow.notify(kGateway, {{"READY", "1"}});
  flow.notify(kGateway, {{"X_FLOW_READY", "0"}, {"STATUS", "a is not known yet"}});
  flow.notify(kGateway, {{"X_FLOW_READY", "1"}});
  EXPECT_EQ(flow.logs.back(), "the Flow is ready again");
  EXPECT_EQ(flow.announced, 1);
}

TEST_F(FlowSupervise, WithoutAGatewayTheFlowEnds) {
  flow.exit(kGateway, {How::Exited, 0});
  ASSERT_EQ(flow.errors.size(), 1U);
  EXPECT_THAT(flow.errors[0], HasSubstr("the gateway: process 101 exited with status 0"));
  EXPECT_THAT(flow.signals, ElementsAre(Pair(2, SIGTERM)));
  flow.exit(2, {How::Exited, 0});
  flow.exit(1, {How::Exited, 0});
  EXPECT_EQ(flow.quit, 1);
}

TEST_F(FlowSupervise, LosingReadinessIsAWarningOnceWithTheReason) {
  flow.logs.clear();
  flow.notify(kGateway, {{"X_FLOW_READY", "0"}, {"STATUS", "a: connection refused"}});
  flow.notify(kGateway, {{"X_FLOW_READY", "0"}, {"STATUS", "a: still refused"}});
  EXPECT_THAT(flow.logs, ElementsAre("the Flow is not ready: a: connection refused"));
  EXPECT_EQ(flow.told.back().at("STATUS"), "the Flow is not ready: a: still refused");

  flow.notify(kGateway, {{"X_FLOW_READY", "1"}});

  EXPECT_EQ(flow.logs.back(), "the Flow is ready again");
  EXPECT_EQ(flow.announced, 1);
}

TEST_F(FlowSupervise, AnExecutorThatStopsByItselfIsDraining) {
  flow.notify(1, {{"STOPPING", "1"}});
  EXPECT_EQ(replica(0).state, ReplicaState::Draining);
}

class FlowNeverRestarts : public FlowSupervise {
 protected:
  FlowNeverRestarts() : FlowSupervise(config()) {}
  static core::FlowConfig config() {
    auto config = test_config({test_executor("a")});
    config.supervise.restart = core::RestartPolicy::Never;
    return config;
  }
};

TEST_F(FlowNeverRestarts, TheFlowStaysUpSoThatAPersonCanLook) {
  flow.crash(1);
  EXPECT_EQ(replica(0).state, ReplicaState::Failed);
  EXPECT_EQ(replica(0).reason,
            "process 102 was killed by signal 9 (SIGKILL) at 2026-11-22T08:15:30.123Z; not "
            "restarted: restart = \"never\"");
  EXPECT_EQ(flow.state.deadline(), std::nullopt);
  EXPECT_FALSE(flow.quit);
}

class FlowShared : public FlowSupervise {
 protected:
  FlowShared()
      : FlowSupervise(test_config({test_executor("a", {}, "p"), test_executor("b", {}, "p")})) {}
};

TEST_F(FlowShared, AllExecutorsOfAProcessFallAndRiseTogether) {
  flow.crash(1);
  EXPECT_EQ(replica(0).state, ReplicaState::Backoff);
  EXPECT_EQ(replica(1).state, ReplicaState::Backoff);
  flow.advance();
  EXPECT_THAT(flow.spawns, ElementsAre(1, 2));
  flow.notify(1, {{"READY", "1"}, {"X_FLOW_EXECUTOR", "a"}});
  EXPECT_NE(flow.state.deadline(), std::nullopt);  // b may still be overdue
  flow.notify(1, {{"READY", "1"}, {"X_FLOW_EXECUTOR", "b"}});
  EXPECT_EQ(flow.state.deadline(), std::nullopt);
}

}  // namespace
}  // namespace flow::host
