// SPDX-License-Identifier: Apache-2.0
//
// From nothing to "ready to serve", and every way in which that fails: the first start fails fast.
#include <csignal>

#include "flow_driver.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::host {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;
using How = ProcessExit::How;
constexpr std::size_t kGateway = FlowPlan::kGateway;

TEST(FlowStart, StartsEverybodySideBySide) {
  FlowDriver flow(test_config({test_executor("a"), test_executor("b", {"a"})}));
  flow.start();
  EXPECT_THAT(flow.spawns, ElementsAre(1, 1, 1));
  EXPECT_EQ(flow.announced, 0);
}

TEST(FlowStart, IsReadyWhenTheGatewaySaysSo) {
  FlowDriver flow(test_config({test_executor("a")}));
  flow.start();
  flow.notify(1, {{"READY", "1"}});
  flow.notify(kGateway, {{"READY", "1"}});
  EXPECT_EQ(flow.announced, 0);

  flow.notify(kGateway, {{"X_FLOW_READY", "1"}});

  EXPECT_EQ(flow.announced, 1);
  ASSERT_FALSE(flow.told.empty());
  EXPECT_EQ(flow.told.back().at("READY"), "1");
}

TEST(FlowStart, AnExecutorCannotDeclareTheFlowReady) {
  FlowDriver flow(test_config({test_executor("a")}));
  flow.start();
  flow.notify(1, {{"X_FLOW_READY", "1"}});
  EXPECT_EQ(flow.announced, 0);
}

TEST(FlowStart, MessagesOfStrangersDoNotCount) {
  FlowDriver flow(test_config({test_executor("a")}));
  flow.start();
  for (const pid_t stranger : {0, 1, 99'999}) {
    EXPECT_THAT(flow.state.on_notified(flow.now, stranger, {{"READY", "1"}}), IsEmpty());
  }
  EXPECT_EQ(flow.state.replicas()[0].state, core::ReplicaState::Starting);
}

TEST(FlowStart, StatusBecomesTheReasonOfTheReplica) {
  FlowDriver flow(test_config({test_executor("a")}));
  flow.start();
  EXPECT_EQ(flow.state.replicas()[0].reason, "process 102 is starting");
  flow.published.clear();

  flow.notify(1, {{"STATUS", "plugin \"plug\" is in create()"}});

  EXPECT_EQ(flow.state.replicas()[0].reason, "plugin \"plug\" is in create()");
  EXPECT_EQ(flow.state.replicas()[0].state, core::ReplicaState::Starting);
  EXPECT_THAT(flow.published, ElementsAre(0));
}

TEST(FlowStart, SinceIsWhenTheStateBeganNotWhenItsReasonChanged) {
  FlowDriver flow(test_config({test_executor("a")}));
  flow.start();
  const auto began = flow.now.wall;
  flow.pass(1s);
  flow.notify(1, {{"STATUS", "plugin \"plug\" is in create()"}});
  EXPECT_EQ(flow.state.replicas()[0].since, began);

  flow.notify(1, {{"READY", "1"}});

  EXPECT_EQ(flow.state.replicas()[0].since, began + 1s);
}

TEST(FlowStart, ExecutorsOfOneProcessBecomeReadyOneByOne) {
  FlowDriver flow(test_config({test_executor("a", {}, "p"), test_executor("b", {}, "p")}));
  flow.start();

  flow.notify(1, {{"READY", "1"}, {"X_FLOW_EXECUTOR", "b"}});

  EXPECT_EQ(flow.state.replicas()[0].state, core::ReplicaState::Starting);
  EXPECT_EQ(flow.state.replicas()[1].state, core::ReplicaState::Ready);
  EXPECT_THAT(flow.state.progress().waiting_for, ElementsAre("a", "gateway"));
}

TEST(FlowStart, AMessageAboutAnExecutorItDoesNotServeIsIgnored) {
  FlowDriver flow(test_config({test_executor("a"), test_executor("b")}));
  flow.start();
  flow.notify(1, {{"READY", "1"}, {"X_FLOW_EXECUTOR", "b"}});
  EXPECT_EQ(flow.state.replicas()[0].state, core::ReplicaState::Starting);
  EXPECT_EQ(flow.state.replicas()[1].state, core::ReplicaState::Starting);
}

TEST(FlowStart, ProgressCountsReplicasAndTheGateway) {
  FlowDriver flow(test_config({test_executor("a", {}, "", 2)}));
  flow.start();
  flow.notify(2, {{"READY", "1"}});
  const FlowState::Progress progress = flow.state.progress();
  EXPECT_THAT(progress.waiting_for, ElementsAre("a/rep-0", "gateway"));
  EXPECT_EQ(progress.total, 3U);
}

TEST(FlowStart, ACrashIsFinalAndSaysInWhichPhase) {
  FlowDriver flow(test_config({test_executor("x"), test_executor("y")}));
  flow.start();
  flow.notify(1, {{"STATUS", "plugin \"plug\" is in create()"}});

  flow.exit(1, {How::Killed, SIGSEGV});

  EXPECT_THAT(flow.errors,
              ElementsAre("executor \"x\" (flow.toml:4:1): its process 102 was killed by signal 11 "
                          "(SIGSEGV) while plugin \"plug\" is in create()"));
  EXPECT_THAT(flow.signals, UnorderedElementsAre(Pair(kGateway, SIGTERM), Pair(2, SIGTERM)));
  EXPECT_FALSE(flow.quit);
  flow.exit(2, {How::Exited, 0});
  flow.exit(kGateway, {How::Exited, 0});
  EXPECT_EQ(flow.quit, 1);
  EXPECT_EQ(flow.errors.size(), 1U);
  EXPECT_THAT(flow.spawns, ElementsAre(1, 1, 1));
}

TEST(FlowStart, AProcessThatSaysWhyItFailsIsQuoted) {
  FlowDriver flow(test_config({test_executor("x")}));
  flow.start();
  flow.notify(1, {{"X_FLOW_FAILURE", "create() says: no such model"}});
  flow.exit(1, {How::Exited, 1});
  EXPECT_THAT(flow.errors,
              ElementsAre("executor \"x\" (flow.toml:4:1): create() says: no such model"));
}

TEST(FlowStart, EvenACleanEndIsAFailure) {
  FlowDriver flow(test_config({test_executor("x")}));
  flow.start();
  flow.exit(1, {How::Exited, 0});
  EXPECT_THAT(flow.errors,
              ElementsAre("executor \"x\" (flow.toml:4:1): its process 102 exited with status 0"));
}

TEST(FlowStart, OfASharedProcessTheOneThatSpokeIsNamed) {
  FlowDriver flow(test_config({test_executor("a", {}, "p"), test_executor("b", {}, "p")}));
  flow.start();
  flow.notify(1, {{"STATUS", "plugin \"plug\" is in create()"}, {"X_FLOW_EXECUTOR", "b"}});
  flow.exit(1, {How::Killed, SIGABRT});
  ASSERT_EQ(flow.errors.size(), 1U);
  EXPECT_TRUE(flow.errors[0].starts_with("executor \"b\" (flow.toml:4:1): its process"));
}

TEST(FlowStart, OfASilentSharedProcessAllAreNamed) {
  FlowDriver flow(test_config({test_executor("a", {}, "p"), test_executor("b", {}, "p")}));
  flow.start();
  flow.crash(1);
  ASSERT_EQ(flow.errors.size(), 1U);
  EXPECT_TRUE(flow.errors[0].starts_with(
      "executors \"a\" (flow.toml:4:1), \"b\" (flow.toml:4:1): its process 102"))
      << flow.errors[0];
}

TEST(FlowStart, AFailingGatewayIsNamedToo) {
  FlowDriver flow(test_config({test_executor("x")}));
  flow.start();
  flow.notify(kGateway, {{"X_FLOW_FAILURE", "cannot listen"}});
  flow.exit(kGateway, {How::Exited, 1});
  EXPECT_THAT(flow.errors, ElementsAre("the gateway: cannot listen"));
}

TEST(FlowStart, AllFailuresThatAreKnownAreReported) {
  FlowDriver flow(test_config({test_executor("x"), test_executor("y"), test_executor("z")}));
  flow.start();
  flow.notify(1, {{"X_FLOW_FAILURE", "one"}});
  flow.notify(2, {{"X_FLOW_FAILURE", "two"}});
  flow.exit(1, {How::Exited, 1});
  flow.exit(2, {How::Exited, 1});
  flow.exit(3, {How::Killed, SIGTERM});
  flow.exit(kGateway, {How::Exited, 0});
  EXPECT_THAT(flow.errors, ElementsAre("executor \"x\" (flow.toml:4:1): one",
                                       "executor \"y\" (flow.toml:4:1): two"));
  EXPECT_EQ(flow.quit, 1);
}

TEST(FlowStart, AProgramThatCannotBeStartedStopsTheOthers) {
  FlowDriver flow(test_config({test_executor("x"), test_executor("y")}));
  flow.cannot_spawn = {1};

  flow.start();

  EXPECT_THAT(flow.errors, ElementsAre("executor \"x\" (flow.toml:4:1): cannot be started: "
                                       "/bin/it: No such file or directory"));
  EXPECT_THAT(flow.signals, Contains(Pair(kGateway, SIGTERM)));
  EXPECT_THAT(flow.signals, Contains(Pair(2, SIGKILL)));
  flow.exit(kGateway, {How::Exited, 0});
  flow.exit(2, {How::Killed, SIGKILL});
  EXPECT_EQ(flow.quit, 1);
}

TEST(FlowStart, EndsEvenIfNothingCanBeStarted) {
  FlowDriver flow(test_config({test_executor("x")}));
  flow.cannot_spawn = {0, 1};
  flow.start();
  EXPECT_EQ(flow.quit, 1);
}

TEST(FlowStart, ACreateThatDoesNotReturnIsNamedAndKilled) {
  FlowDriver flow(test_config({test_executor("x")}));
  flow.start();
  flow.notify(kGateway, {{"READY", "1"}});
  flow.notify(1, {{"STATUS", "plugin \"plug\" is in create()"}});

  ASSERT_TRUE(flow.advance());

  EXPECT_EQ(flow.now.steady - test_moment().steady, 60s);
  EXPECT_THAT(flow.errors,
              ElementsAre("executor \"x\" (flow.toml:4:1): create() of plugin \"plug\" "
                          "did not return within 60 s (timeout_ready)"));
  EXPECT_THAT(flow.signals, Contains(Pair(1, SIGKILL)));
  flow.crash(1);
  flow.exit(kGateway, {How::Exited, 0});
  EXPECT_EQ(flow.quit, 1);
  EXPECT_EQ(flow.errors.size(), 1U);
}

TEST(FlowStart, FailsWithTheStackOfAProcessThatSaysThatItHangs) {
  FlowDriver flow(test_config({test_executor("x")}));
  flow.start();
  flow.notify(kGateway, {{"READY", "1"}});
  flow.notify(1, {{"X_FLOW_EXECUTOR", "x"}, {"X_FLOW_HUNG", "create() is stuck"}});
  EXPECT_EQ(flow.state.replicas()[0].state, core::ReplicaState::Hung);
  flow.notify(1, {{"X_FLOW_EXECUTOR", "x"},
                  {"X_FLOW_HUNG", "create() is stuck"},
                  {"X_FLOW_STACK", "thread 7:\t#0 lock()"}});
  EXPECT_THAT(flow.errors, IsEmpty()) << "it is still about to explain itself";
  flow.exit(1, {How::Exited, 70});
  EXPECT_THAT(flow.errors, ElementsAre("executor \"x\" (flow.toml:4:1): create() is stuck\n"
                                       "thread 7:\n#0 lock()"));
  flow.exit(kGateway, {How::Exited, 0});
  EXPECT_EQ(flow.quit, 1);
}

TEST(FlowStart, KillsAHungProcessThatDoesNotEndByItself) {
  FlowDriver flow(test_config({test_executor("x")}));
  flow.start();
  flow.notify(1, {{"X_FLOW_HUNG", "health() is stuck"}});
  flow.advance();
  EXPECT_THAT(flow.signals, ElementsAre(Pair(1, SIGKILL)));
  flow.crash(1);
  EXPECT_THAT(flow.errors, ElementsAre("executor \"x\" (flow.toml:4:1): health() is stuck"));
}

TEST(FlowStart, AllThatAreTooSlowAreReported) {
  FlowDriver flow(test_config({test_executor("x"), test_executor("y")}));
  flow.start();
  flow.notify(kGateway, {{"READY", "1"}});
  flow.advance();
  EXPECT_THAT(
      flow.errors,
      ElementsAre("executor \"x\" (flow.toml:4:1): its process 102 was not ready within 60 s",
                  "executor \"y\" (flow.toml:4:1): its process 103 was not ready within 60 s"));
}

TEST(FlowStart, AGatewayThatNeverFindsTheFlowReadyFailsTheStart) {
  FlowDriver flow(test_config({test_executor("x")}));
  flow.start();
  flow.notify(kGateway, {{"READY", "1"}});
  flow.notify(1, {{"READY", "1"}});
  flow.notify(kGateway, {{"X_FLOW_READY", "0"}, {"STATUS", "x does not answer"}});

  flow.advance();

  EXPECT_THAT(flow.errors, ElementsAre("all processes run, but the gateway does not find the Flow "
                                       "ready within 30 s: x does not answer"));
}

TEST(FlowStart, AChildThatIgnoresSigtermAfterAFailureIsKilledSoon) {
  FlowDriver flow(test_config({test_executor("x")}));
  flow.start();
  flow.crash(1);
  flow.signals.clear();

  flow.advance();

  EXPECT_LE(flow.now.steady - test_moment().steady, 2s);
  EXPECT_THAT(flow.signals, ElementsAre(Pair(kGateway, SIGKILL)));
}

TEST(FlowStart, AStopWhileStartingIsNoFailure) {
  FlowDriver flow(test_config({test_executor("x")}));
  flow.start();
  flow.signal(SIGINT);
  EXPECT_THAT(flow.signals, UnorderedElementsAre(Pair(kGateway, SIGTERM), Pair(1, SIGTERM)));
  flow.exit(1, {How::Killed, SIGTERM});
  flow.exit(kGateway, {How::Exited, 0});
  EXPECT_EQ(flow.quit, 0);
  EXPECT_THAT(flow.errors, IsEmpty());
}

}  // namespace
}  // namespace flow::host
