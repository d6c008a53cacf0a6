// SPDX-License-Identifier: Apache-2.0
// Which calls suffer what, when faults are asked for.
#include "host/executor/fault_plan.hpp"

#include <map>
#include <vector>

#include "gtest/gtest.h"

namespace flow::host {
namespace {

std::vector<Fault> first(FaultPlan& plan, std::size_t calls) {
  std::vector<Fault> faults;
  for (std::size_t i = 0; i < calls; ++i) faults.push_back(plan.next());
  return faults;
}

core::FaultConfig mixed_faults() {
  core::FaultConfig config;
  config.delay = 0.1;
  config.error = 0.05;
  config.crash = 0.01;
  return config;
}

TEST(FaultPlan, IsTheSameForTheSameSeedAndReplica) {
  FaultPlan one(mixed_faults(), 0);
  FaultPlan again(mixed_faults(), 0);
  EXPECT_EQ(first(one, 1000), first(again, 1000));
}

TEST(FaultPlan, DiffersByReplicaAndBySeed) {
  FaultPlan one(mixed_faults(), 0);
  FaultPlan other_replica(mixed_faults(), 1);
  core::FaultConfig reseeded = mixed_faults();
  reseeded.seed = 2;
  FaultPlan other_seed(reseeded, 0);
  const auto faults = first(one, 1000);
  EXPECT_NE(faults, first(other_replica, 1000));
  EXPECT_NE(faults, first(other_seed, 1000));
}

TEST(FaultPlan, GivesEachFaultItsShare) {
  FaultPlan plan(mixed_faults(), 0);
  std::map<Fault, int> counts;
  for (const Fault fault : first(plan, 100'000)) ++counts[fault];
  EXPECT_NEAR(counts[Fault::Delay], 10'000, 500);
  EXPECT_NEAR(counts[Fault::Error], 5'000, 400);
  EXPECT_NEAR(counts[Fault::Crash], 1'000, 200);
  EXPECT_EQ(counts[Fault::Exit] + counts[Fault::Spin] + counts[Fault::Deadlock], 0);
}

TEST(FaultPlan, LetsAllCallsOrNoneSufferAtTheEnds) {
  core::FaultConfig all;
  all.spin = 1;
  FaultPlan always(all, 0);
  FaultPlan never({}, 0);
  for (const Fault fault : first(always, 1000)) ASSERT_EQ(fault, Fault::Spin);
  for (const Fault fault : first(never, 1000)) ASSERT_EQ(fault, Fault::None);
}

TEST(FaultPlan, IsDescribedByWhatIsAskedFor) {
  core::FaultConfig config;
  EXPECT_FALSE(config.any());
  config.crash = 0.001;
  config.slow_start = std::chrono::seconds(2);
  config.grow = 4096;
  config.seed = 7;
  EXPECT_TRUE(config.any());
  EXPECT_EQ(describe(config),
            "crash 0.1 %, slow start 2000 ms, 4096 bytes kept by each call; seed 7");
}

}  // namespace
}  // namespace flow::host
