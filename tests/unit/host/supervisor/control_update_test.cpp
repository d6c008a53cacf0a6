// SPDX-License-Identifier: Apache-2.0
//
// What the gateway is told about a replica, field by field.
#include "core/limits.hpp"
#include "core/notify.hpp"
#include "flow_driver.hpp"
#include "gtest/gtest.h"
#include "host/supervisor/control_channel.hpp"

namespace flow::host {
namespace {

TEST(ReplicaUpdate, CarriesEverythingThatIsKnown) {
  const auto config = test_config({test_executor("a", {}, "", 2)});
  const ReplicaPlan plan{0, 1, "0.0.0.0:12346", "/run/a-1.sock"};

  const auto update = replica_update(
      config, plan, {core::ReplicaState::Backoff, "died", test_moment().wall, 42, {"#0", "#1"}});

  EXPECT_EQ(update.executor(), "a");
  EXPECT_EQ(update.replica(), 1U);
  EXPECT_EQ(update.pid(), 42);
  EXPECT_EQ(update.state(), flow::v1::BACKOFF);
  EXPECT_EQ(update.reason(), "died");
  EXPECT_EQ(update.since().seconds(), 1795335330);
  EXPECT_EQ(update.since().nanos(), 123'000'000);
  EXPECT_EQ(update.tcp_address(), "0.0.0.0:12346");
  EXPECT_EQ(update.unix_path(), "/run/a-1.sock");
  ASSERT_EQ(update.stacks_size(), 2);
  EXPECT_EQ(update.stacks(1), "#1");
}

TEST(ReplicaUpdate, StatesHaveTheSameNamesOnBothSides) {
  const auto config = test_config({test_executor("a")});
  using enum core::ReplicaState;
  for (const auto state : {Starting, Ready, Hung, Draining, Backoff, Failed, Unreachable}) {
    const auto update = replica_update(config, {}, {state, "", {}, 0});
    EXPECT_EQ(flow::v1::ReplicaState_Name(update.state()), core::name(state));
  }
}

TEST(ReplicaUpdate, FitsIntoAPacketHoweverMuchIsKnownOfACrash) {
  const auto config = test_config({test_executor("a")});
  const std::string text(core::limits::kErrorTextMax, 'x');
  ReplicaStatus status{core::ReplicaState::Backoff, text + text, {}, 8};
  status.stacks.assign(1000, std::string(600, 's'));
  status.note = text + text;
  status.ended = {7, text + text, std::vector<std::string>(100'000, "")};
  const auto update = replica_update(config, {}, status);
  EXPECT_LE(update.ByteSizeLong(), core::kControlPacketMax);
  EXPECT_GT(update.stacks_size(), 50);
  EXPECT_EQ(update.stacks(0), status.stacks[0]);
}

TEST(ReplicaUpdate, OfTheLastProcessThatEndedIsThereIfOneDid) {
  const auto config = test_config({test_executor("a")});
  ReplicaStatus status{core::ReplicaState::Ready, "serving", {}, 8};
  EXPECT_FALSE(replica_update(config, {}, status).has_ended());
  status.ended = {7, "process 7 was killed by signal 9 (SIGKILL)"};
  const auto update = replica_update(config, {}, status);
  EXPECT_EQ(update.ended().pid(), 7);
  EXPECT_EQ(update.ended().cause(), "process 7 was killed by signal 9 (SIGKILL)");
}

}  // namespace
}  // namespace flow::host
