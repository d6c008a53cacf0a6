// SPDX-License-Identifier: Apache-2.0
// Protects whom an ejection is about while two processes share a replica's place.
#include "gateway/executors/balancer.hpp"

#include "core/limits.hpp"
#include "gtest/gtest.h"
#include "tests/unit/gateway/simulation/simulated_network.hpp"

namespace flow::gateway {
namespace {

using namespace std::chrono_literals;

// Replicas 0 and 1, and a process that is to take over the place of 0.
class BalancerAtAHandover : public testing::Test {
 protected:
  BalancerAtAHandover() {
    VirtualTime::begin();
    replicas_.push_back(make_replica(0));
    replicas_.push_back(make_replica(1));
    successor_ = make_replica(0);
    balancer_.emplace(loop_, log_, Balancer::Bounds{.max_in_flight = 10}, replicas_,
                      [this](std::size_t index) {
                        return index == 0 ? successor_.get() : replicas_[index].get();
                      });
    const Clock::time_point end = Clock::now() + 1s;
    schedule_.at(end, [] {});
    while (Clock::now() < end) {
      const auto alarm = loop_.alarms().next().value_or(end);
      VirtualTime::advance_to(std::min(alarm, *schedule_.next()));
      loop_.alarms().fire();
      while (schedule_.next() && *schedule_.next() <= Clock::now()) schedule_.run_one();
    }
    EXPECT_TRUE(successor_->ready());
  }

  std::unique_ptr<Replica> make_replica(std::uint32_t index) {
    const std::string path = fmt::format("/{}", ++paths_);
    const auto peer = std::make_shared<Peer>();
    peer->on_request = [](Wire& wire, GrpcPeer::Stream stream, std::string_view, const std::string&,
                          Clock::time_point) {
      wire.grpc()->finish(stream, 12);  // UNIMPLEMENTED: then it serves everything, and well
    };
    network_.listen(path, peer);
    auto replica = std::make_unique<Replica>(
        loop_, *dialer_, log_, Replica::Options{"a", index, {}, 1 << 20}, [] {},
        [](const jina::EndpointsProto&) {});
    replica->set_address(path, {.unix_path = path});
    return replica;
  }
  void exchange() {
    std::swap(replicas_[0], successor_);
    balancer_->replicas_changed();
  }
  void fail_calls(Replica& replica) {
    for (std::uint32_t i = 0; i < core::limits::kEjectAfter; ++i) {
      const Balancer::Try one = balancer_->start(replica, Clock::now());
      balancer_->end(one, Balancer::End::Failed, "because", Clock::now());
    }
  }
  static bool ejected(const Replica& replica) {
    return replica.view().status.reason.starts_with("ejected");
  }

  Schedule schedule_;
  Chance chance_{1};
  SimulatedNetwork network_{schedule_, chance_};
  std::unique_ptr<Dialer> dialer_ = network_.make_dialer();
  Loop loop_;
  core::Logger log_ = core::make_logger("test", {.level = "off"});
  int paths_ = 0;
  std::vector<std::unique_ptr<Replica>> replicas_;
  std::unique_ptr<Replica> successor_;
  std::optional<Balancer> balancer_;
};

TEST_F(BalancerAtAHandover, WhatASuccessorFailsSaysNothingOfWhomItIsToReplace) {
  fail_calls(*successor_);
  EXPECT_FALSE(ejected(*replicas_[0]));
  EXPECT_FALSE(ejected(*successor_)) << "its handover judges it";
}

TEST_F(BalancerAtAHandover, ASuccessorGetsCallsThoughWhomItIsToReplaceIsEjected) {
  fail_calls(*replicas_[0]);
  ASSERT_TRUE(ejected(*replicas_[0]));
  const Balancer::Try busy = balancer_->start(*replicas_[1], Clock::now());
  EXPECT_EQ(balancer_->choose({}, Balancer::Bound::Kept, Clock::now()).replica, successor_.get());
  balancer_->end(busy, Balancer::End::Cancelled, "", Clock::now());
}

TEST_F(BalancerAtAHandover, WhoGetsHisPlaceBackIsNotTakenForEjected) {
  fail_calls(*replicas_[0]);
  exchange();
  EXPECT_FALSE(ejected(*replicas_[0])) << "it is another process";
  exchange();
  EXPECT_FALSE(ejected(*replicas_[0]));
}

TEST_F(BalancerAtAHandover, WhatEndsAfterItIsNotTheSuccessorsFault) {
  std::vector<Balancer::Try> underway;
  for (std::uint32_t i = 0; i < core::limits::kEjectAfter; ++i) {
    underway.push_back(balancer_->start(*replicas_[0], Clock::now()));
  }
  exchange();
  for (const Balancer::Try& one : underway) {
    balancer_->end(one, Balancer::End::Failed, "it leaves", Clock::now());
  }
  EXPECT_FALSE(ejected(*replicas_[0]));
  EXPECT_NE(balancer_->choose({}, Balancer::Bound::Kept, Clock::now()).replica, nullptr);
}

}  // namespace
}  // namespace flow::gateway
