// SPDX-License-Identifier: Apache-2.0
//
// How a process is replaced by a new one beside it, and how it stays when the new one is no good.
#include <csignal>

#include "core/limits.hpp"
#include "flow_driver.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::host {
namespace {

using namespace std::chrono_literals;
using core::ReplicaState;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using How = ProcessExit::How;
constexpr std::size_t kGateway = FlowPlan::kGateway;
constexpr std::size_t kA = 1;
constexpr std::size_t kB = 2;
const core::NotifyMessage kReady = {{"READY", "1"}};

class FlowSwap : public ::testing::Test {
 protected:
  FlowSwap() : flow(test_config({test_executor("a"), test_executor("b", {"a"})})) {
    flow.make_ready();
  }
  const ReplicaStatus& replica(std::size_t place) { return flow.state.replicas()[place]; }
  void begin(std::size_t child) { flow.replace(child, "liba.so was replaced"); }
  void move(std::size_t child, const std::string& name) {
    flow.notify_beside(child, kReady);
    flow.gateway_says("X_FLOW_MOVED", child, name);
  }

  FlowDriver flow;
};

TEST_F(FlowSwap, TheNewProcessStartsBesideTheOldOneWhichServesOn) {
  const pid_t old = flow.pids[kA];
  begin(kA);

  EXPECT_NE(flow.beside[kA], 0);
  EXPECT_EQ(replica(0).state, ReplicaState::Ready);
  EXPECT_EQ(replica(0).pid, old);
  EXPECT_EQ(replica(0).successor, 0) << "it does not serve yet";
  EXPECT_THAT(replica(0).note, HasSubstr("is starting beside it: liba.so was replaced"));
  EXPECT_THAT(flow.signals, IsEmpty());
}

TEST_F(FlowSwap, OnceReadyItIsOfferedToTheGatewayAndOnceMovedToTheOldOneLeaves) {
  const pid_t old = flow.pids[kA];
  begin(kA);
  const pid_t successor = flow.beside[kA];
  flow.notify_beside(kA, kReady);
  EXPECT_EQ(replica(0).successor, successor);
  EXPECT_EQ(replica(0).pid, old);
  EXPECT_THAT(flow.signals_beside, IsEmpty());

  flow.gateway_says("X_FLOW_MOVED", kA, "a/rep-0");

  EXPECT_EQ(flow.pids[kA], successor);
  EXPECT_EQ(flow.beside[kA], old);
  EXPECT_EQ(replica(0).pid, successor);
  EXPECT_EQ(replica(0).successor, 0);
  EXPECT_EQ(replica(0).note, "");
  EXPECT_EQ(replica(0).state, ReplicaState::Ready);
  EXPECT_THAT(flow.signals_beside, ElementsAre(Pair(kA, SIGTERM)));
  ASSERT_EQ(flow.replaced.size(), 1U);
  EXPECT_TRUE(flow.replaced[0].done);
  EXPECT_THAT(flow.replaced[0].text, HasSubstr("has taken over from process"));

  flow.exit_beside(kA, {How::Exited, 0});
  EXPECT_EQ(flow.spawns[kA], 2);
  EXPECT_EQ(flow.state.deadline(), std::nullopt);
}

TEST_F(FlowSwap, WhatTheOldOneSaysWhileItLeavesChangesNothing) {
  begin(kA);
  move(kA, "a/rep-0");
  const ReplicaStatus before = replica(0);
  flow.notify_beside(kA, {{"STOPPING", "1"}, {"STATUS", "bye"}});
  EXPECT_EQ(replica(0), before);
}

TEST_F(FlowSwap, OneThatLeavesTooSlowlyIsKilledAndNoLongerWaitedFor) {
  begin(kA);
  move(kA, "a/rep-0");
  flow.advance();
  EXPECT_THAT(flow.signals_beside, ElementsAre(Pair(kA, SIGTERM), Pair(kA, SIGKILL)));
  flow.advance();
  EXPECT_THAT(flow.logs.back(), HasSubstr("did not end within 10 s of SIGKILL"));
  EXPECT_EQ(flow.state.deadline(), std::nullopt);
  flow.exit_beside(kA, {How::Killed, SIGKILL});
  EXPECT_EQ(replica(0).state, ReplicaState::Ready);
}

TEST_F(FlowSwap, OneThatCrashesWhileItLeavesIsWorthAWarningWhichSaysWhere) {
  begin(kA);
  move(kA, "a/rep-0");
  const pid_t old = flow.beside[kA];
  flow.exit_beside(kA, {How::Killed, SIGSEGV}, {"in liba.so bad()+0x1c", {"fact"}});
  EXPECT_EQ(replica(0).state, ReplicaState::Ready) << "it is not the one that serves";
  EXPECT_THAT(replica(0).stacks, IsEmpty());
  EXPECT_EQ(replica(0).ended.pid, old);
  EXPECT_THAT(replica(0).ended.cause, HasSubstr("in liba.so bad()+0x1c"));
  EXPECT_THAT(replica(0).ended.stacks, ElementsAre("fact"));
  EXPECT_THAT(flow.logs.back(),
              HasSubstr("which was replaced, was killed by signal 11 (SIGSEGV) in liba.so bad()"));
}

TEST_F(FlowSwap, OneThatTheGatewayGaveUpBecauseItCrashedSaysOfWhatItDied) {
  begin(kA);
  flow.notify_beside(kA, kReady);
  flow.gateway_says("X_FLOW_REFUSED", kA, "a/rep-0", "it is UNREACHABLE");
  flow.exit_beside(kA, {How::Killed, SIGSEGV}, {"in liba.so bad()+0x1c", {"fact"}});
  EXPECT_THAT(replica(0).note, HasSubstr("failed: it is UNREACHABLE; process"));
  EXPECT_THAT(replica(0).note,
              HasSubstr("signal 11 (SIGSEGV) at 2026-11-22T08:15:30.123Z in liba.so"));
  EXPECT_THAT(replica(0).ended.stacks, ElementsAre("fact"));
}

TEST_F(FlowSwap, OneThatCrashesOnItsWayIsGivenUpWithThePlaceWhereItDid) {
  begin(kA);
  flow.exit_beside(kA, {How::Killed, SIGSEGV}, {"in liba.so bad()+0x1c", {"fact"}});
  EXPECT_THAT(replica(0).note, HasSubstr("was killed by signal 11 (SIGSEGV) in liba.so bad()"));
  EXPECT_THAT(replica(0).stacks, IsEmpty()) << "nothing is wrong with the one that serves";
}

TEST_F(FlowSwap, OneThatDiesBeforeItIsReadyIsGivenUpWithItsOwnWords) {
  const pid_t old = flow.pids[kA];
  begin(kA);
  flow.notify_beside(kA, {{"X_FLOW_FAILURE", "there is no model"}});
  flow.exit_beside(kA, {How::Exited, 1});

  EXPECT_EQ(replica(0).state, ReplicaState::Ready);
  EXPECT_EQ(replica(0).pid, old);
  EXPECT_THAT(replica(0).note, HasSubstr("failed: process"));
  EXPECT_THAT(replica(0).note, HasSubstr("exited with status 1: there is no model"));
  ASSERT_EQ(flow.replaced.size(), 1U);
  EXPECT_FALSE(flow.replaced[0].done);
  EXPECT_THAT(flow.replaced[0].text, HasSubstr("keeps serving"));
  EXPECT_EQ(flow.state.deadline(), std::nullopt);
}

TEST_F(FlowSwap, OneThatIsNotReadyInTimeIsKilled) {
  begin(kA);
  flow.notify_beside(kA, {{"STATUS", "plugin \"plug\" is in create()"}});
  flow.advance();
  EXPECT_THAT(replica(0).note, HasSubstr("it was not ready within 60 s (timeout_ready): plugin "
                                         "\"plug\" is in create()"));
  EXPECT_THAT(flow.signals_beside, ElementsAre(Pair(kA, SIGKILL)));
  flow.exit_beside(kA, {How::Killed, SIGKILL});
  EXPECT_EQ(flow.replaced.size(), 1U);
}

TEST_F(FlowSwap, OneThatTheGatewayRefusesIsToldToStop) {
  const pid_t old = flow.pids[kA];
  begin(kA);
  flow.notify_beside(kA, kReady);
  flow.gateway_says("X_FLOW_REFUSED", kA, "a/rep-0", "its dry run fails: no index");
  EXPECT_EQ(replica(0).pid, old);
  EXPECT_EQ(replica(0).successor, 0);
  EXPECT_THAT(replica(0).note, HasSubstr("failed: its dry run fails: no index"));
  EXPECT_THAT(flow.signals_beside, ElementsAre(Pair(kA, SIGTERM)));
  // The gateway's word comes too late.
  flow.gateway_says("X_FLOW_MOVED", kA, "a/rep-0");
  EXPECT_EQ(flow.pids[kA], old);
}

TEST_F(FlowSwap, AGatewayThatSaysNothingIsNotWaitedForForEver) {
  begin(kA);
  flow.notify_beside(kA, kReady);
  flow.advance();
  EXPECT_THAT(replica(0).note, HasSubstr("the gateway did not move calls to it"));
  EXPECT_THAT(flow.signals_beside, ElementsAre(Pair(kA, SIGTERM)));
}

TEST_F(FlowSwap, OnlyTheGatewaysWordCountsAndOnlyOnAProcessThatIsOffered) {
  const pid_t old = flow.pids[kA];
  begin(kA);
  flow.gateway_says("X_FLOW_MOVED", kA, "a/rep-0");  // it is not ready
  flow.notify_beside(kA, kReady);
  const std::string word = "a/rep-0 " + std::to_string(flow.beside[kA]);
  flow.notify(kB, {{"X_FLOW_MOVED", word}});
  flow.notify_beside(kA, {{"X_FLOW_MOVED", word}});
  for (const char* nonsense : {"", "a/rep-0", "a/rep-0 ", "a/rep-0 x", "a/rep-0 -1", "b/rep-0 1"}) {
    flow.notify(kGateway, {{"X_FLOW_MOVED", nonsense}});
  }
  flow.gateway_says("X_FLOW_MOVED", kA, "b/rep-0");
  EXPECT_EQ(flow.pids[kA], old);
}

TEST_F(FlowSwap, OneThatCannotBeSpawnedIsGivenUp) {
  flow.cannot_spawn.insert(kA);
  begin(kA);
  EXPECT_THAT(replica(0).note, HasSubstr("failed: cannot be started: /bin/it"));
  EXPECT_EQ(flow.replaced.size(), 1U);
  EXPECT_EQ(flow.state.deadline(), std::nullopt);
}

TEST_F(FlowSwap, ARefusedFileIsShownAndNothingIsStarted) {
  flow.refuse(kA, "liba.so has no note");
  EXPECT_EQ(flow.spawns[kA], 1);
  EXPECT_THAT(replica(0).note, HasSubstr("refused: liba.so has no note"));
  EXPECT_THAT(flow.published, Contains(0));
  EXPECT_FALSE(flow.replaced.at(0).done);
}

TEST_F(FlowSwap, WhenTheOldOneDiesMeanwhileTheNewOneIsItsRestart) {
  begin(kA);
  const pid_t successor = flow.beside[kA];
  const pid_t old = flow.pids[kA];
  flow.crash(kA);
  EXPECT_EQ(flow.pids[kA], successor);
  EXPECT_EQ(replica(0).ended.pid, old);
  EXPECT_THAT(replica(0).ended.cause, HasSubstr("was killed by signal"));
  EXPECT_EQ(replica(0).state, ReplicaState::Starting);
  EXPECT_THAT(replica(0).reason, HasSubstr("is starting in its place"));
  EXPECT_EQ(flow.spawns[kA], 2) << "no third one";
  flow.notify(kA, kReady);
  EXPECT_EQ(replica(0).state, ReplicaState::Ready);
  EXPECT_TRUE(flow.replaced.at(0).done);
}

TEST_F(FlowSwap, WhenTheOldOneDiesBeforeCallsHaveMovedTheNewOneServes) {
  begin(kA);
  flow.notify_beside(kA, kReady);
  const pid_t successor = flow.beside[kA];
  flow.crash(kA);
  EXPECT_EQ(flow.pids[kA], successor);
  EXPECT_EQ(replica(0).state, ReplicaState::Ready);
  EXPECT_EQ(replica(0).pid, successor);
  EXPECT_EQ(replica(0).successor, 0);
  EXPECT_TRUE(flow.replaced.at(0).done);
}

TEST_F(FlowSwap, OfWhatTheNewOneDiedIsToldToThoseWhoseRequestsItHad) {
  begin(kA);
  flow.notify_beside(kA, kReady);
  const pid_t successor = flow.beside[kA];
  flow.published.clear();
  flow.exit_beside(kA, {How::Killed, SIGSEGV});
  EXPECT_EQ(replica(0).ended.pid, successor);
  EXPECT_THAT(replica(0).ended.cause, HasSubstr("was killed by signal 11 (SIGSEGV)"));
  EXPECT_THAT(flow.published, Contains(0));
}

TEST_F(FlowSwap, OfWhatTheOldOneDiedWhileItDrainedIsToldToo) {
  const pid_t old = flow.pids[kA];
  begin(kA);
  move(kA, "a/rep-0");
  flow.published.clear();
  flow.exit_beside(kA, {How::Killed, SIGSEGV});
  EXPECT_EQ(replica(0).ended.pid, old);
  EXPECT_EQ(replica(0).state, ReplicaState::Ready);
  EXPECT_THAT(flow.published, Contains(0));
}

TEST_F(FlowSwap, WhenTheNewOneDiesAfterItHasTakenOverItIsRestarted) {
  begin(kA);
  move(kA, "a/rep-0");
  flow.crash(kA);
  EXPECT_EQ(replica(0).state, ReplicaState::Backoff);
  flow.advance();
  EXPECT_EQ(flow.spawns[kA], 3);
  flow.exit_beside(kA, {How::Exited, 0});
  flow.notify(kA, kReady);
  EXPECT_EQ(replica(0).state, ReplicaState::Ready);
}

TEST_F(FlowSwap, OneAfterTheOther) {
  begin(kA);
  begin(kB);
  EXPECT_EQ(flow.beside[kB], 0);
  move(kA, "a/rep-0");
  EXPECT_NE(flow.beside[kB], 0) << "the first has taken over; what it replaced may take its time";
  move(kB, "b/rep-0");
  EXPECT_EQ(flow.replaced.size(), 2U);
}

TEST_F(FlowSwap, OneThatIsWantedAgainMeanwhileFollows) {
  begin(kA);
  begin(kA);
  begin(kA);
  move(kA, "a/rep-0");
  EXPECT_EQ(flow.spawns[kA], 2);
  flow.exit_beside(kA, {How::Exited, 0});
  EXPECT_EQ(flow.spawns[kA], 3);
  move(kA, "a/rep-0");
  flow.exit_beside(kA, {How::Exited, 0});
  EXPECT_EQ(flow.spawns[kA], 3);
}

TEST_F(FlowSwap, OneThatWaitsForItsRestartIsStartedAtOnce) {
  flow.crash(kA);
  flow.advance();
  flow.crash(kA);
  ASSERT_EQ(replica(0).state, ReplicaState::Backoff);
  begin(kA);
  EXPECT_EQ(replica(0).state, ReplicaState::Starting);
  EXPECT_NE(flow.pids[kA], 0);
  EXPECT_EQ(flow.beside[kA], 0);
  EXPECT_THAT(flow.replaced, IsEmpty());
  flow.notify(kA, kReady);
  EXPECT_TRUE(flow.replaced.at(0).done);
}

TEST_F(FlowSwap, OneThatWasGivenUpGetsAnotherChanceAndANewBudget) {
  for (int i = 0; i < 6; ++i) {
    flow.crash(kA);
    flow.advance();
  }
  ASSERT_EQ(replica(0).state, ReplicaState::Failed);
  begin(kA);
  ASSERT_EQ(replica(0).state, ReplicaState::Starting);
  flow.crash(kA);
  EXPECT_EQ(replica(0).state, ReplicaState::Backoff);
  EXPECT_FALSE(flow.replaced.at(0).done);
}

TEST_F(FlowSwap, TheGatewayIsNotReplaced) {
  flow.replace(kGateway);
  EXPECT_EQ(flow.beside[kGateway], 0);
  EXPECT_FALSE(flow.replaced.at(0).done);
}

TEST_F(FlowSwap, AStopEndsBothInTheirWave) {
  begin(kA);
  begin(kB);
  flow.signal(SIGTERM);
  EXPECT_THAT(flow.signals, ElementsAre(Pair(kGateway, SIGTERM)));
  EXPECT_THAT(flow.signals_beside, IsEmpty()) << "calls may be at it";
  flow.exit(kGateway, {How::Exited, 0});
  flow.exit(kB, {How::Exited, 0});
  EXPECT_THAT(flow.signals, Contains(Pair(kA, SIGTERM)));
  EXPECT_THAT(flow.signals_beside, ElementsAre(Pair(kA, SIGTERM)));
  flow.exit(kA, {How::Exited, 0});
  EXPECT_FALSE(flow.quit);
  flow.exit_beside(kA, {How::Exited, 0});
  EXPECT_EQ(flow.quit, 0);
  EXPECT_EQ(flow.replaced.size(), 2U) << "whoever waits is told";
}

TEST_F(FlowSwap, AStopInAHurryKillsBoth) {
  begin(kA);
  flow.signal(SIGTERM);
  flow.signal(SIGTERM);
  EXPECT_THAT(flow.signals_beside, Contains(Pair(kA, SIGKILL)));
  for (const std::size_t child : {kGateway, kA, kB}) flow.crash(child);
  flow.exit_beside(kA, {How::Killed, SIGKILL});
  EXPECT_EQ(flow.quit, 128 + SIGTERM);
}

TEST_F(FlowSwap, NothingIsReplacedOnceTheStopHasBegun) {
  flow.signal(SIGTERM);
  begin(kA);
  EXPECT_EQ(flow.spawns[kA], 1);
  EXPECT_FALSE(flow.replaced.at(0).done);
}

TEST(FlowSwapShared, AProcessOfSeveralExecutorsHasMovedWhenAllOfThemHave) {
  FlowDriver flow(test_config({test_executor("a", {}, "p"), test_executor("b", {"a"}, "p")}));
  flow.make_ready();
  flow.replace(1);
  const pid_t successor = flow.beside[1];
  flow.notify_beside(1, {{"READY", "1"}, {"X_FLOW_EXECUTOR", "a"}});
  EXPECT_EQ(flow.state.replicas()[0].successor, 0);
  flow.notify_beside(1, kReady);
  EXPECT_EQ(flow.state.replicas()[0].successor, successor);
  EXPECT_EQ(flow.state.replicas()[1].successor, successor);
  flow.gateway_says("X_FLOW_MOVED", 1, "a/rep-0");
  EXPECT_NE(flow.pids[1], successor);
  flow.gateway_says("X_FLOW_MOVED", 1, "b/rep-0");
  EXPECT_EQ(flow.pids[1], successor);
}

TEST(FlowStopping, AProcessThatSaysThatItStopsAndDoesNotIsKilled) {
  FlowDriver flow(test_config({test_executor("a")}));
  flow.make_ready();
  flow.notify(1, {{"STOPPING", "1"}});
  EXPECT_EQ(flow.state.replicas()[0].state, ReplicaState::Draining);
  flow.advance();
  EXPECT_THAT(flow.signals, ElementsAre(Pair(1U, SIGKILL)));
  EXPECT_THAT(flow.logs.back(), HasSubstr("said that it stops and did not within 31 s"));
  EXPECT_EQ(flow.state.deadline(), std::nullopt);
  flow.crash(1);
  EXPECT_EQ(flow.state.replicas()[0].state, ReplicaState::Backoff);
}

}  // namespace
}  // namespace flow::host
