// SPDX-License-Identifier: Apache-2.0
// The answer to "is the whole Flow ready?", word for word.
#include "gateway/readiness/verdict.hpp"

#include "gateway/readiness/readiness.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "jina.pb.h"
#include "wire/grpc.hpp"

namespace flow::gateway {
namespace {

using core::ReplicaState;
using testing::HasSubstr;
using testing::StartsWith;

constexpr auto kSince = std::chrono::system_clock::time_point(std::chrono::seconds(1'654'012'804));

ReplicaView replica(ReplicaState state, std::string reason = "serving", int index = 0) {
  return {"executor0/rep-" + std::to_string(index),
          "0.0.0.0:" + std::to_string(12346 + index),
          {state, kSince, std::move(reason), 19059}};
}

FlowView flow_of(std::vector<ReplicaView> replicas) {
  return {{{"executor0", std::move(replicas)}}};
}

jina::StatusProto dry_run(const Verdict& verdict) {
  jina::StatusProto status;
  const std::string_view bytes = wire::payload(verdict.dry_run_grpc);
  EXPECT_TRUE(status.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return status;
}

constexpr const char* kDescription =
    "failed to connect to all addresses |Gateway: Communication error with deployment executor0 at "
    "address(es) {'0.0.0.0:12346'}. Head or worker(s) may be down.";

TEST(Verdict, OnAReadyFlowIsTheEmptyMessageAndTheReferencesJson) {
  const auto verdict = judge(flow_of({replica(ReplicaState::Ready)}));

  EXPECT_TRUE(verdict->ready);
  EXPECT_EQ(verdict->dry_run_grpc, wire::frame(""));
  EXPECT_EQ(verdict->dry_run_json, R"({"code":0,"description":"","exception":null})");
  EXPECT_EQ(verdict->readyz_json, R"({"ready":true,"reason":""})");
}

TEST(Verdict, OnADeadExecutorHasTheReferencesWordsOverGrpc) {
  const auto verdict = judge(flow_of({replica(ReplicaState::Backoff, "process 19059 was killed")}));

  const jina::StatusProto status = dry_run(*verdict);
  EXPECT_FALSE(verdict->ready);
  EXPECT_EQ(status.code(), jina::StatusProto::ERROR);
  EXPECT_EQ(status.description(), kDescription);
  EXPECT_EQ(status.exception().name(), "InternalNetworkError");
  ASSERT_EQ(status.exception().args_size(), 1);
  EXPECT_EQ(status.exception().args(0), kDescription);
  EXPECT_EQ(status.exception().executor(), "");
}

TEST(Verdict, HasTheNativeStackBehindItsReplica) {
  auto crashed = replica(ReplicaState::Backoff, "process 19059 was killed");
  crashed.status.stacks = {"died of it", "#0 bad()"};
  const auto verdict = judge(flow_of({crashed, replica(ReplicaState::Starting, "soon", 1)}));

  const auto status = dry_run(*verdict);
  ASSERT_EQ(status.exception().stacks_size(), 4);
  EXPECT_THAT(status.exception().stacks(0), StartsWith("executor0/rep-0 at "));
  EXPECT_EQ(status.exception().stacks(1), "  died of it\n");
  EXPECT_EQ(status.exception().stacks(2), "  #0 bad()\n");
  EXPECT_THAT(status.exception().stacks(3), StartsWith("executor0/rep-1 at "));
}

TEST(Verdict, HasNoStackOfAReplicaThatIsReadyAgain) {
  auto again = replica(ReplicaState::Ready);
  again.status.stacks = {"#0 bad()"};
  const auto verdict =
      judge({{{"executor0", {again}}, {"executor1", {replica(ReplicaState::Failed, "over", 1)}}}});
  EXPECT_EQ(dry_run(*verdict).exception().stacks_size(), 1);
}

TEST(Verdict, SaysInStacksWhoStandsHowSinceWhenAndWhy) {
  const auto verdict = judge(flow_of({replica(ReplicaState::Backoff, "process 19059 was killed")}));

  ASSERT_EQ(dry_run(*verdict).exception().stacks_size(), 1);
  EXPECT_EQ(dry_run(*verdict).exception().stacks(0),
            "executor0/rep-0 at 0.0.0.0:12346 is BACKOFF since 2022-05-31T16:00:04.000Z: process "
            "19059 was killed\n");
}

TEST(Verdict, OnADeadExecutorIsTheSameInJson) {
  const auto verdict = judge(flow_of({replica(ReplicaState::Backoff, "say \"why\"")}));

  EXPECT_EQ(verdict->dry_run_json,
            std::string(R"({"code":1,"description":")") + kDescription +
                R"(","exception":{"name":"InternalNetworkError","args":[")" + kDescription +
                R"("],"stacks":["executor0/rep-0 at 0.0.0.0:12346 is BACKOFF since )"
                R"(2022-05-31T16:00:04.000Z: say \"why\"\n"],"executor":""}})");
}

TEST(Verdict, OnAHungExecutorHasTheReferencesWordsForATimeOut) {
  const auto verdict = judge(flow_of({replica(ReplicaState::Hung, "no answer")}));

  EXPECT_THAT(dry_run(*verdict).description(),
              StartsWith("Deadline Exceeded|Gateway: Connection with deployment executor0 at "
                         "address(es) {'0.0.0.0:12346'} could be established, but timed out."));
}

TEST(Verdict, NeedsOnlyOneReplicaOfEachExecutor) {
  EXPECT_TRUE(
      judge(flow_of({replica(ReplicaState::Failed), replica(ReplicaState::Ready, "", 1)}))->ready);
}

TEST(Verdict, NamesAllAddressesWhenNoReplicaIsLeft) {
  const auto verdict = judge(
      flow_of({replica(ReplicaState::Failed, "a"), replica(ReplicaState::Unreachable, "b", 1)}));

  EXPECT_THAT(dry_run(*verdict).description(), HasSubstr("{'0.0.0.0:12346', '0.0.0.0:12347'}"));
  EXPECT_EQ(dry_run(*verdict).exception().stacks_size(), 2);
}

TEST(Verdict, NamesTheFirstExecutorThatFailsAndGivesEvidenceOfAll) {
  FlowView flow = flow_of({replica(ReplicaState::Ready)});
  flow.executors.push_back(
      {"b", {{"b/rep-0", "0.0.0.0:1", {ReplicaState::Failed, kSince, "x", 0}}}});
  flow.executors.push_back(
      {"c", {{"c/rep-0", "0.0.0.0:2", {ReplicaState::Failed, kSince, "y", 0}}}});

  const auto verdict = judge(flow);

  EXPECT_THAT(dry_run(*verdict).description(), HasSubstr("deployment b at"));
  EXPECT_EQ(dry_run(*verdict).exception().stacks_size(), 2);
  EXPECT_EQ(verdict->executors_ready, (std::vector<bool>{true, false, false}));
}

TEST(Verdict, KeepsItsEvidenceForRequestsThatFail) {
  EXPECT_TRUE(judge(flow_of({replica(ReplicaState::Ready)}))->evidence.empty());
  const auto verdict = judge(flow_of({replica(ReplicaState::Hung, "silent")}));
  ASSERT_EQ(verdict->evidence.size(), 1u);
  EXPECT_THAT(verdict->evidence[0], HasSubstr("silent"));
}

TEST(Verdict, OnADrainingGatewayIsNotReadyAlthoughAllExecutorsAre) {
  FlowView flow = flow_of({replica(ReplicaState::Ready)});
  flow.draining = true;

  const auto verdict = judge(flow);

  EXPECT_FALSE(verdict->ready);
  EXPECT_EQ(dry_run(*verdict).code(), jina::StatusProto::ERROR);
  EXPECT_THAT(verdict->reason, HasSubstr("draining"));
}

TEST(Verdict, ListsEveryReplicaWhenAskedToBeVerbose) {
  const auto verdict = judge(flow_of({replica(ReplicaState::Hung, "no answer")}));

  EXPECT_EQ(verdict->readyz_verbose,
            R"({"ready":false,"reason":"executor0/rep-0 is HUNG: no answer","executors":[)"
            R"({"name":"executor0","ready":false,"replicas":[{"name":"executor0/rep-0",)"
            R"("state":"HUNG","since":"2022-05-31T16:00:04.000Z","reason":"no answer",)"
            R"("address":"0.0.0.0:12346","pid":19059}]}]})");
}

TEST(Readiness, TellsSubscribersOfEachVerdictUntilTheyLeave) {
  Readiness readiness(flow_of({replica(ReplicaState::Starting)}));
  std::vector<bool> told;
  auto subscription = std::make_unique<Readiness::Subscription>(
      readiness, [&] { told.push_back(readiness.verdict().ready); });

  readiness.publish(flow_of({replica(ReplicaState::Ready)}));
  subscription.reset();
  readiness.publish(flow_of({replica(ReplicaState::Failed)}));

  EXPECT_EQ(told, std::vector<bool>{true});
  EXPECT_FALSE(readiness.verdict().ready);
}

}  // namespace
}  // namespace flow::gateway
