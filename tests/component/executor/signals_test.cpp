// SPDX-License-Identifier: Apache-2.0
//
// Work that a signal overtakes: it goes on until the process ends.
#include "host/executor/signals.hpp"

#include <csignal>
#include <future>
#include <memory>

#include "gtest/gtest.h"

namespace flow::host {
namespace {

TEST(StopSignals, WorkThatASignalOvertakesKeepsWhatItHolds) {
  struct Shared {
    std::promise<void> go_on;
    std::promise<void> ended;
  };
  const auto shared = std::make_shared<Shared>();
  StopSignals signals;
  ::raise(SIGTERM);

  const auto number = signals.wait_while([shared] {
    shared->go_on.get_future().wait();
    shared->ended.set_value();
  });

  EXPECT_EQ(number, SIGTERM);
  ASSERT_GT(shared.use_count(), 1) << "the work is gone, but its thread is still in it";
  shared->go_on.set_value();
  shared->ended.get_future().wait();
}

TEST(StopSignals, WorkThatEndsFirstIsWaitedFor) {
  StopSignals signals;
  bool done = false;
  EXPECT_EQ(signals.wait_while([&] { done = true; }), std::nullopt);
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace flow::host
