// SPDX-License-Identifier: Apache-2.0
// What the gateway believes of one replica, event by event, on made-up time.
#include "gateway/executors/liveness.hpp"

#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::gateway {
namespace {

using namespace std::chrono_literals;
using core::ReplicaState;
using testing::HasSubstr;

class LivenessTest : public testing::Test {
 protected:
  Now at(std::chrono::milliseconds time) const {
    return {Clock::time_point(1h + time), std::chrono::system_clock::time_point(1000h + time)};
  }
  void become_ready(std::chrono::milliseconds time) {
    liveness_.connected(at(time));
    liveness_.health(Liveness::Health::Serving, at(time));
  }
  static ReplicaStatus word(ReplicaState state, std::string reason, std::int64_t pid) {
    return {state, {}, std::move(reason), pid};
  }

  Liveness liveness_{{.heartbeat_interval = 250ms, .heartbeat_timeout = 250ms}, at(0ms)};
};

TEST_F(LivenessTest, StartsAsStartingAndWorthConnecting) {
  EXPECT_EQ(liveness_.status().state, ReplicaState::Starting);
  EXPECT_TRUE(liveness_.worth_connecting());
}

TEST_F(LivenessTest, PassesOnTheStackThatTheSupervisorKnows) {
  auto crashed = word(ReplicaState::Backoff, "died", 1);
  crashed.stacks = {"#0 bad()"};
  liveness_.supervised(crashed, at(1ms));
  EXPECT_EQ(liveness_.status().stacks, crashed.stacks);
  liveness_.supervised(word(ReplicaState::Backoff, "died", 1), at(2ms));
  EXPECT_TRUE(liveness_.status().stacks.empty());
}

TEST_F(LivenessTest, IsNotReadyBeforeItsHealthIsKnown) {
  liveness_.connected(at(1ms));

  EXPECT_EQ(liveness_.status().state, ReplicaState::Starting);
}

TEST_F(LivenessTest, IsReadyWhenConnectedAndServing) {
  become_ready(1ms);

  EXPECT_TRUE(liveness_.ready());
  EXPECT_EQ(liveness_.status().since, at(1ms).wall);
}

TEST_F(LivenessTest, IsUnhealthyWhenItSaysSoAndReadyWhenItTakesThatBack) {
  become_ready(1ms);

  liveness_.health(Liveness::Health::NotServing, at(2ms));
  EXPECT_EQ(liveness_.status().state, ReplicaState::Unhealthy);

  liveness_.health(Liveness::Health::Serving, at(3ms));
  EXPECT_TRUE(liveness_.ready());
}

TEST_F(LivenessTest, IsNotReadyTheMomentTheConnectionBreaks) {
  become_ready(1ms);

  liveness_.disconnected("connection lost: closed by the peer", at(2ms));

  EXPECT_EQ(liveness_.status().state, ReplicaState::Unreachable);
  EXPECT_EQ(liveness_.status().reason, "connection lost: closed by the peer");
  EXPECT_EQ(liveness_.status().since, at(2ms).wall);
}

TEST_F(LivenessTest, TakesTheSupervisorsWordForWhyAProcessDied) {
  become_ready(1ms);
  liveness_.disconnected("connection lost", at(2ms));

  liveness_.supervised(word(ReplicaState::Backoff, "process 7 was killed by signal 9", 0), at(3ms));

  EXPECT_EQ(liveness_.status().state, ReplicaState::Backoff);
  EXPECT_EQ(liveness_.status().reason, "process 7 was killed by signal 9");
  EXPECT_FALSE(liveness_.worth_connecting());
}

TEST_F(LivenessTest, DoesNotTrustAConnectionToAProcessThatIsKnownToBeDead) {
  become_ready(1ms);

  liveness_.supervised(word(ReplicaState::Backoff, "killed", 0), at(2ms));
  EXPECT_FALSE(liveness_.ready());

  liveness_.supervised(word(ReplicaState::Starting, "process 8 starts", 8), at(3ms));
  EXPECT_FALSE(liveness_.ready()) << "the connection is to the process before";
}

TEST_F(LivenessTest, ForgetsOldReasonsWhenANewProcessServes) {
  become_ready(1ms);
  liveness_.supervised(word(ReplicaState::Ready, "serving", 7), at(1ms));
  liveness_.disconnected("connection lost", at(2ms));
  liveness_.supervised(word(ReplicaState::Starting, "process 8 starts", 8), at(3ms));

  liveness_.supervised(word(ReplicaState::Ready, "serving", 8), at(4ms));
  EXPECT_EQ(liveness_.status().state, ReplicaState::Starting);
  EXPECT_EQ(liveness_.status().reason, "connecting to it");
  EXPECT_TRUE(liveness_.worth_connecting());

  become_ready(5ms);
  EXPECT_TRUE(liveness_.ready());
  EXPECT_EQ(liveness_.status().pid, 8);
}

TEST_F(LivenessTest, AsksForASignOfLifeEveryInterval) {
  become_ready(0ms);

  EXPECT_TRUE(liveness_.tick(at(0ms)));
  liveness_.heard(at(1ms));
  EXPECT_FALSE(liveness_.tick(at(100ms)));
  EXPECT_EQ(liveness_.next_tick(), at(250ms).steady);
  EXPECT_TRUE(liveness_.tick(at(250ms)));
}

TEST_F(LivenessTest, IsHungWhenAHeartbeatIsNotAnsweredInTime) {
  become_ready(0ms);
  ASSERT_TRUE(liveness_.tick(at(0ms)));

  liveness_.tick(at(249ms));
  EXPECT_TRUE(liveness_.ready());

  liveness_.tick(at(250ms));
  EXPECT_EQ(liveness_.status().state, ReplicaState::Hung);
  EXPECT_THAT(liveness_.status().reason, HasSubstr("no answer to a heartbeat for 250 ms"));
}

TEST_F(LivenessTest, DoesNotExplainAMissedHeartbeatByTheHangOfTheProcessBefore) {
  ReplicaStatus said = word(ReplicaState::Hung, "a call made no progress", 7);
  said.stacks = {"thread 8:", "#0 lock()"};
  liveness_.supervised(said, at(1ms));
  EXPECT_EQ(liveness_.status().stacks, said.stacks);

  said = word(ReplicaState::Ready, "process 9 serves", 9);
  said.stacks = {"thread 8:", "#0 lock()"};
  liveness_.supervised(said, at(2ms));
  become_ready(3ms);
  EXPECT_EQ(liveness_.status().stacks, said.stacks) << "of its last hang";
  liveness_.tick(at(3ms));
  liveness_.tick(at(253ms));

  ASSERT_EQ(liveness_.status().state, ReplicaState::Hung);
  EXPECT_TRUE(liveness_.status().stacks.empty());
}

TEST_F(LivenessTest, ThatHungIsReadyAgainAtTheFirstSignOfLife) {
  become_ready(0ms);
  liveness_.tick(at(0ms));
  liveness_.tick(at(300ms));
  ASSERT_EQ(liveness_.status().state, ReplicaState::Hung);

  liveness_.heard(at(900ms));

  EXPECT_TRUE(liveness_.ready());
  EXPECT_EQ(liveness_.status().since, at(900ms).wall);
}

TEST_F(LivenessTest, CountsAnythingThatIsHeardAsASignOfLife) {
  become_ready(0ms);
  liveness_.tick(at(0ms));

  liveness_.heard(at(10ms));
  liveness_.tick(at(260ms));

  EXPECT_TRUE(liveness_.ready());
}

TEST_F(LivenessTest, GivesAHeartbeatThatIsSentLateItsFullTime) {
  become_ready(0ms);
  liveness_.tick(at(0ms));
  liveness_.heard(at(1ms));

  // Our own loop was busy: the next tick comes a second late.
  EXPECT_TRUE(liveness_.tick(at(1000ms)));
  EXPECT_TRUE(liveness_.ready());
  liveness_.tick(at(1249ms));
  EXPECT_TRUE(liveness_.ready());
}

TEST_F(LivenessTest, DoesNotTickWithoutAConnection) {
  EXPECT_EQ(liveness_.next_tick(), std::nullopt);
  EXPECT_FALSE(liveness_.tick(at(5000ms)));
}

TEST_F(LivenessTest, KeepsItsInvariantThroughAnyHistory) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    Liveness liveness({.heartbeat_interval = 250ms, .heartbeat_timeout = 250ms}, at(0ms));
    bool connected = false, serving = false;
    ReplicaState said = ReplicaState::Ready;
    std::chrono::milliseconds time{0};
    for (int step = 0; step < 500; ++step) {
      time += std::chrono::milliseconds(random() % 200);
      switch (random() % 7) {
        case 0:
          liveness.connected(at(time));
          connected = true;
          serving = false;
          break;
        case 1:
          liveness.disconnected("gone", at(time));
          connected = serving = false;
          break;
        case 2:
          if (connected) liveness.health(Liveness::Health::Serving, at(time)), serving = true;
          break;
        case 3:
          if (connected) liveness.health(Liveness::Health::NotServing, at(time)), serving = false;
          break;
        case 4:
          said = static_cast<ReplicaState>(random() % 8);
          liveness.supervised(word(said, "said", 1), at(time));
          break;
        case 5:
          liveness.heard(at(time));
          break;
        default:
          liveness.tick(at(time));
      }
      if (liveness.ready()) {
        EXPECT_TRUE(connected && serving) << "seed " << seed << " step " << step;
        EXPECT_TRUE(said == ReplicaState::Ready || said == ReplicaState::Unreachable)
            << "seed " << seed << " step " << step;
      }
      EXPECT_FALSE(liveness.status().reason.empty());
      EXPECT_LE(liveness.status().since, at(time).wall);
    }
  }
}

}  // namespace
}  // namespace flow::gateway
