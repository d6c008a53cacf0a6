// SPDX-License-Identifier: Apache-2.0
//
// Which processes a Flow has, how each is started and in which order they stop.
#include "host/supervisor/flow_plan.hpp"

#include "flow_driver.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::host {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

std::vector<std::string> names(const FlowPlan& plan) {
  std::vector<std::string> all;
  for (const ChildPlan& child : plan.children) all.push_back(child.name);
  return all;
}

TEST(FlowPlan, TheGatewayIsFirstThenOneProcessPerReplica) {
  const auto config = test_config({test_executor("a", {}, "", 2), test_executor("b")});
  EXPECT_THAT(names(plan_flow(config)),
              ElementsAre("gateway/rep-0", "a/rep-0", "a/rep-1", "b/rep-0"));
}

TEST(FlowPlan, ExecutorsOfOneProcessShareIt) {
  const auto config =
      test_config({test_executor("a", {}, "p"), test_executor("b"), test_executor("c", {}, "p")});

  const FlowPlan plan = plan_flow(config);

  EXPECT_THAT(names(plan), ElementsAre("gateway/rep-0", "a/rep-0", "b/rep-0"));
  EXPECT_THAT(plan.children[1].replicas, ElementsAre(0, 2));
  EXPECT_EQ(plan.children[1].timeout_ready, std::chrono::seconds(120));
}

TEST(FlowPlan, ASharedProcessHasOneInstancePerReplica) {
  const auto config = test_config({test_executor("a", {}, "p", 2), test_executor("b", {}, "p", 1)});

  const FlowPlan plan = plan_flow(config);

  EXPECT_THAT(names(plan), ElementsAre("gateway/rep-0", "a/rep-0", "a/rep-1"));
  EXPECT_EQ(plan.children[1].replicas.size(), 2U);
  EXPECT_EQ(plan.children[2].replicas.size(), 1U);
}

TEST(FlowPlan, StopsTheGatewayThenTheEndOfTheGraphFirst) {
  const auto config = test_config({test_executor("a"), test_executor("b", {"a"}),
                                   test_executor("c", {"a"}), test_executor("d", {"b", "c"})});

  const FlowPlan plan = plan_flow(config);

  EXPECT_EQ(plan.children[0].stop_wave, 0U);
  EXPECT_EQ(plan.children[4].stop_wave, 1U);  // d
  EXPECT_EQ(plan.children[2].stop_wave, 2U);  // b
  EXPECT_EQ(plan.children[3].stop_wave, 2U);  // c
  EXPECT_EQ(plan.children[1].stop_wave, 3U);  // a
}

TEST(FlowPlan, TheOrderOfTheFileDoesNotMatterForStopping) {
  const auto config =
      test_config({test_executor("c", {"b"}), test_executor("b", {"a"}), test_executor("a")});
  const FlowPlan plan = plan_flow(config);
  EXPECT_EQ(plan.children[1].stop_wave, 1U);
  EXPECT_EQ(plan.children[2].stop_wave, 2U);
  EXPECT_EQ(plan.children[3].stop_wave, 3U);
}

TEST(FlowPlan, ASharedProcessStopsWithItsEarliestExecutor) {
  const auto config = test_config(
      {test_executor("a", {}, "p"), test_executor("b", {"a"}), test_executor("c", {"b"}, "p")});
  const FlowPlan plan = plan_flow(config);
  EXPECT_EQ(plan.children[1].stop_wave, 3U);
  EXPECT_EQ(plan.children[2].stop_wave, 2U);
}

TEST(ReplicaName, ShowsTheNumberOnlyIfThereAreSeveral) {
  const auto config = test_config({test_executor("a", {}, "", 2), test_executor("b")});
  const FlowPlan plan = plan_flow(config);
  EXPECT_EQ(replica_name(config, plan.replicas[1]), "a/rep-1");
  EXPECT_EQ(replica_name(config, plan.replicas[2]), "b");
}

TEST(ChildCommand, OfTheGateway) {
  const auto config = test_config({test_executor("a")});
  FlowPlan plan = plan_flow(config);
  plan.gateway_address = "0.0.0.0:12345";
  EXPECT_THAT(
      child_command(config, plan, 0, {"/bin/flow-host", "/bin/flow-gateway"}),
      ElementsAre("/bin/flow-gateway", "--config", "flow.toml", "--listen", "0.0.0.0:12345"));
}

TEST(ChildCommand, OfExecutorsThatShareAProcess) {
  const auto config = test_config({test_executor("a", {}, "p"), test_executor("b", {}, "p")});
  FlowPlan plan = plan_flow(config);
  plan.replicas[0].tcp_address = "0.0.0.0:1";
  plan.replicas[0].unix_path = "/run/a-0.sock";
  plan.replicas[1].tcp_address = "0.0.0.0:2";
  EXPECT_THAT(child_command(config, plan, 1, {"/bin/flow-host", "/bin/flow-gateway"}),
              ElementsAre("/bin/flow-host", "--config", "flow.toml", "--executor", "a",
                          "--executor", "b", "--replica", "0", "--listen", "a=0.0.0.0:1",
                          "--listen", "a=unix:/run/a-0.sock", "--listen", "b=0.0.0.0:2"));
}

TEST(ChildEnvironment, KeepsWhatWasMeantForTheSupervisorFromItsChildren) {
  const auto config = test_config({test_executor("a")});
  const auto environment =
      child_environment(config, plan_flow(config), 1, {"@notify", 7, -1, "/state/crashes"},
                        {{"PATH", "/bin"},
                         {"NOTIFY_SOCKET", "/run/systemd"},
                         {"LISTEN_FDS", "1"},
                         {"LISTEN_PID", "7"},
                         {"WATCHDOG_USEC", "1"},
                         {"FLOW_CONTROL_FD", "9"}});
  EXPECT_THAT(environment, ElementsAre("FLOW_CRASH_REPORTS=/state/crashes", "FLOW_SUPERVISOR_PID=7",
                                       "NOTIFY_SOCKET=@notify", "PATH=/bin"));
}

TEST(ChildEnvironment, PassesOnVariablesThatOnlyLookLikeTheServiceManagers) {
  const auto config = test_config({test_executor("a")});
  const auto environment =
      child_environment(config, plan_flow(config), 1, {"@notify", 7, -1},
                        {{"LISTEN_ADDRESS", "127.0.0.1"}, {"WATCHDOG_URL", "http://dog"}});
  EXPECT_THAT(environment, Contains("LISTEN_ADDRESS=127.0.0.1"));
  EXPECT_THAT(environment, Contains("WATCHDOG_URL=http://dog"));
}

TEST(ChildEnvironment, AnExecutorsOwnVariablesWinOverInheritedOnesButNotOverTheWiring) {
  auto config = test_config({test_executor("a"), test_executor("b")});
  config.executors[0].env = {{"MODEL", "mine"}, {"NOTIFY_SOCKET", "mine"}};

  const FlowPlan plan = plan_flow(config);
  const std::map<std::string, std::string> inherited = {{"MODEL", "theirs"}};

  const auto a = child_environment(config, plan, 1, {"@notify", 7, -1}, inherited);
  EXPECT_THAT(a, Contains("MODEL=mine"));
  EXPECT_THAT(a, Contains("NOTIFY_SOCKET=@notify"));
  EXPECT_THAT(child_environment(config, plan, 2, {"@notify", 7, -1}, inherited),
              Contains("MODEL=theirs"));
}

TEST(ChildEnvironment, OnlyTheGatewayHearsOfTheControlChannel) {
  const auto config = test_config({test_executor("a")});
  const FlowPlan plan = plan_flow(config);
  EXPECT_THAT(child_environment(config, plan, 0, {"@notify", 7, 3}, {}),
              Contains("FLOW_CONTROL_FD=3"));
  EXPECT_THAT(child_environment(config, plan, 1, {"@notify", 7, -1}, {}),
              Not(Contains("FLOW_CONTROL_FD=3")));
}

}  // namespace
}  // namespace flow::host
