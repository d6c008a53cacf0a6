// SPDX-License-Identifier: Apache-2.0
#include "core/short_turns.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>

#include <thread>

namespace flow::core {
namespace {

TEST(ShortTurns, LeaveTheThreadsPolicyAndNicenessAsTheyWere) {
  std::thread([] {
    ASSERT_EQ(::setpriority(PRIO_PROCESS, 0, 5), 0);  // this thread's alone, on Linux
    prefer_short_turns();
    EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), 5);
    EXPECT_EQ(::sched_getscheduler(0) & ~SCHED_RESET_ON_FORK, SCHED_OTHER);
  }).join();
}

TEST(ShortTurns, AreNotPassedOnToThreadsThatItStarts) {
  std::thread([] {
    prefer_short_turns();
    std::thread([] { EXPECT_EQ(::sched_getscheduler(0), SCHED_OTHER); }).join();
  }).join();
}

}  // namespace
}  // namespace flow::core
