// SPDX-License-Identifier: Apache-2.0
//
// How a Flow ends: in order, in time, and at once when told twice.
#include <csignal>

#include "core/limits.hpp"
#include "flow_driver.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::host {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;
using How = ProcessExit::How;
constexpr std::size_t kGateway = FlowPlan::kGateway;

class FlowStop : public ::testing::Test {
 protected:
  // a <- b, c <- d
  FlowStop()
      : flow(test_config({test_executor("a"), test_executor("b", {"a"}), test_executor("c", {"a"}),
                          test_executor("d", {"b", "c"})})) {
    flow.make_ready();
  }
  void end(std::size_t child) { flow.exit(child, {How::Exited, 0}); }
  std::vector<std::pair<std::size_t, int>> signals() { return std::exchange(flow.signals, {}); }

  FlowDriver flow;
};

TEST_F(FlowStop, GatewayFirstThenTheGraphFromItsEnd) {
  flow.signal(SIGTERM);
  EXPECT_EQ(flow.told.back().at("STOPPING"), "1");
  EXPECT_THAT(signals(), ElementsAre(Pair(kGateway, SIGTERM)));
  end(kGateway);
  EXPECT_THAT(signals(), ElementsAre(Pair(4, SIGTERM)));
  end(4);
  EXPECT_THAT(signals(), UnorderedElementsAre(Pair(2, SIGTERM), Pair(3, SIGTERM)));
  end(2);
  EXPECT_THAT(signals(), IsEmpty());
  end(3);
  EXPECT_THAT(signals(), ElementsAre(Pair(1, SIGTERM)));
  EXPECT_FALSE(flow.quit);
  end(1);
  EXPECT_EQ(flow.quit, 0);
}

TEST_F(FlowStop, NothingIsRestartedOnceItHasBegun) {
  flow.crash(2);
  flow.signal(SIGTERM);
  flow.crash(3);
  flow.pass(20s);
  EXPECT_THAT(flow.spawns, ElementsAre(1, 1, 1, 1, 1));
  EXPECT_EQ(flow.state.replicas()[1].state, core::ReplicaState::Failed);
  EXPECT_EQ(flow.state.replicas()[1].reason, "not restarted: the Flow is stopping");
  signals();
  end(kGateway);
  end(4);
  EXPECT_THAT(signals(), ElementsAre(Pair(4, SIGTERM), Pair(1, SIGTERM)));
}

TEST_F(FlowStop, AChildThatDoesNotEndInTimeIsKilledWithAWarning) {
  flow.signal(SIGTERM);
  signals();

  flow.advance();

  EXPECT_EQ(flow.now.steady - test_moment().steady, 31s);  // drain_timeout and a margin
  EXPECT_THAT(signals(), ElementsAre(Pair(kGateway, SIGKILL)));
  EXPECT_THAT(flow.logs.back(), HasSubstr("did not end within 31 s of SIGTERM, killing it"));
  flow.crash(kGateway);
  for (const std::size_t child : {4, 2, 3, 1}) end(child);
  EXPECT_EQ(flow.quit, 0);
}

TEST_F(FlowStop, AProcessThatSurvivesSigkillIsLeftBehind) {
  flow.signal(SIGTERM);
  flow.advance();
  signals();

  flow.advance();

  EXPECT_EQ(flow.now.steady - test_moment().steady, 31s + core::limits::kKillWait);
  EXPECT_THAT(flow.logs, Contains(HasSubstr("did not end within 10 s of SIGKILL")));
  EXPECT_THAT(signals(), ElementsAre(Pair(4, SIGTERM)));
  flow.exit(kGateway, {How::Killed, SIGKILL});  // at last: nobody waits for it any more
  EXPECT_THAT(signals(), IsEmpty());
}

TEST_F(FlowStop, EachWaveHasItsOwnTime) {
  flow.signal(SIGTERM);
  flow.now = flow.now + 20s;
  end(kGateway);
  EXPECT_EQ(*flow.state.deadline() - flow.now.steady, 31s);
}

TEST_F(FlowStop, LameDuckIsPartOfTheGatewaysGraceAlone) {
  auto config = test_config({test_executor("a")});
  config.supervise.lame_duck = 5s;
  FlowDriver other(config);
  other.make_ready();
  other.signal(SIGTERM);
  EXPECT_EQ(*other.state.deadline() - other.now.steady, 36s);
  other.exit(kGateway, {How::Exited, 0});
  EXPECT_EQ(*other.state.deadline() - other.now.steady, 31s);
}

struct Twice {
  int second;
  int status;
};

TEST_F(FlowStop, ASecondSignalKillsEverybodyAndShowsInTheStatus) {
  for (const Twice& row : {Twice{SIGINT, 130}, Twice{SIGTERM, 143}}) {
    FlowDriver other(test_config({test_executor("a"), test_executor("b")}));
    other.make_ready();
    other.signal(SIGTERM);
    other.signals.clear();

    other.signal(row.second);

    EXPECT_THAT(other.signals,
                UnorderedElementsAre(Pair(kGateway, SIGKILL), Pair(1, SIGKILL), Pair(2, SIGKILL)));
    for (const std::size_t child : {0, 1, 2}) other.crash(child);
    EXPECT_EQ(other.quit, row.status);
  }
}

TEST_F(FlowStop, AfterASecondSignalTheWaitIsBounded) {
  flow.signal(SIGTERM);
  flow.signal(SIGTERM);
  flow.advance();
  EXPECT_LE(flow.now.steady - test_moment().steady, core::limits::kKillWait);
  EXPECT_EQ(flow.quit, 143);
}

TEST_F(FlowStop, SignalsAfterTheEndDoNothing) {
  flow.signal(SIGTERM);
  for (const std::size_t child : {0, 4, 2, 3, 1}) end(child);
  flow.signal(SIGTERM);
  EXPECT_EQ(flow.quit, 0);
  EXPECT_EQ(flow.state.deadline(), std::nullopt);
}

TEST_F(FlowStop, ALateVerdictOfTheGatewayChangesNothing) {
  flow.signal(SIGTERM);
  flow.logs.clear();
  flow.notify(kGateway, {{"STOPPING", "1"}, {"STATUS", "draining"}});
  flow.notify(kGateway, {{"X_FLOW_READY", "0"}, {"STATUS", "draining"}});
  EXPECT_THAT(flow.logs, IsEmpty());
  EXPECT_EQ(flow.announced, 1);
}

TEST_F(FlowStop, AFlowWithoutLivingChildrenEndsAtOnce) {
  auto config = test_config({test_executor("a")});
  config.supervise.restarts = 1;
  FlowDriver other(config);
  other.make_ready();
  other.crash(1);
  other.crash(kGateway);
  other.signal(SIGTERM);
  EXPECT_EQ(other.quit, 0);
}

// Children take a second SIGTERM for "at once": their calls in hand would be lost.
TEST_F(FlowStop, AChildThatIsStoppingAlreadyIsLeftToIt) {
  flow.notify(4, {{"STOPPING", "1"}});
  flow.signal(SIGTERM);
  flow.notify(2, {{"STOPPING", "1"}});
  EXPECT_THAT(signals(), ElementsAre(Pair(kGateway, SIGTERM)));
  end(kGateway);
  EXPECT_THAT(signals(), IsEmpty());
  EXPECT_EQ(*flow.state.deadline() - flow.now.steady, 31s);
  end(4);
  EXPECT_THAT(signals(), ElementsAre(Pair(3, SIGTERM)));
  end(3);

  flow.advance();  // it has as long as the others
  EXPECT_THAT(signals(), ElementsAre(Pair(2, SIGKILL)));
}

TEST_F(FlowStop, AChildThatWasRestartedAfterItStoppedIsToldAgain) {
  flow.notify(4, {{"STOPPING", "1"}});
  flow.exit(4, {How::Exited, 1});
  flow.advance();
  flow.signal(SIGTERM);
  signals();
  end(kGateway);
  EXPECT_THAT(signals(), ElementsAre(Pair(4, SIGTERM)));
}

TEST_F(FlowStop, DrainingReplicasSaySo) {
  flow.signal(SIGTERM);
  end(kGateway);
  EXPECT_EQ(flow.state.replicas()[3].state, core::ReplicaState::Draining);
  EXPECT_EQ(flow.state.replicas()[3].reason, "process 105 is stopping with its Flow");
}

}  // namespace
}  // namespace flow::host
