// SPDX-License-Identifier: Apache-2.0
#include "gateway/services/error_answer.hpp"

#include "core/status.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "wire/grpc.hpp"

namespace flow::gateway {
namespace {

using core::ReplicaState;
using testing::HasSubstr;

std::shared_ptr<const Verdict> verdict_with(ReplicaState state) {
  return judge({{{"a", {{"a/rep-0", "0.0.0.0:1", {state, {}, "because", 7}}}}}});
}

TEST(ErrorAnswer, OfAnExecutorThatCannotBeReachedIsTheReferencesAndCarriesTheEvidence) {
  const jina::StatusProto status =
      error_status(core::error(absl::StatusCode::kUnavailable, "no way to a"),
                   *verdict_with(ReplicaState::Backoff));
  EXPECT_EQ(status.code(), jina::StatusProto::ERROR);
  EXPECT_EQ(status.description(), "no way to a");
  EXPECT_EQ(status.exception().name(), "InternalNetworkError");
  ASSERT_EQ(status.exception().args_size(), 1);
  EXPECT_EQ(status.exception().args(0), "no way to a");
  ASSERT_EQ(status.exception().stacks_size(), 1);
  EXPECT_THAT(status.exception().stacks(0), HasSubstr("a/rep-0 at 0.0.0.0:1 is BACKOFF"));
  EXPECT_EQ(status.exception().executor(), "");
}

TEST(ErrorAnswer, OfATimeOutIsANetworkErrorToo) {
  const auto status = error_status(core::error(absl::StatusCode::kDeadlineExceeded, "late"),
                                   *verdict_with(ReplicaState::Ready));
  EXPECT_EQ(status.exception().name(), "InternalNetworkError");
  EXPECT_EQ(status.exception().stacks_size(), 0);
}

TEST(ErrorAnswer, OfABadRequestIsNamedAsGrpcNamesItAndBlamesNoReplica) {
  const auto status = error_status(core::error(absl::StatusCode::kInvalidArgument, "what?"),
                                   *verdict_with(ReplicaState::Failed));
  EXPECT_EQ(status.exception().name(), "INVALID_ARGUMENT");
  EXPECT_EQ(status.exception().stacks_size(), 0);
}

TEST(ErrorAnswer, AsAMessageHasTheIdOfItsRequest) {
  const std::string framed =
      error_answer("the id", core::error(absl::StatusCode::kInvalidArgument, "what?"),
                   *verdict_with(ReplicaState::Ready));
  jina::DataRequestProto answer;
  const std::string_view bytes = wire::payload(framed);
  ASSERT_TRUE(answer.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  EXPECT_EQ(answer.header().request_id(), "the id");
  EXPECT_EQ(answer.header().status().description(), "what?");
  EXPECT_FALSE(answer.has_data());
}

TEST(ErrorStatus, HasTheEvidenceOfTheRequestBeforeTheVerdicts) {
  Verdict verdict;
  verdict.evidence = {"b is down\n", "a died\n"};
  const absl::Status status = with_evidence(core::error(absl::StatusCode::kUnavailable, "lost"),
                                            {"a died\n", "then c died\n"});

  const jina::StatusProto told = error_status(status, verdict);
  const auto& stacks = told.exception().stacks();
  EXPECT_EQ(std::vector<std::string>(stacks.begin(), stacks.end()),
            (std::vector<std::string>{"a died\n", "then c died\n", "b is down\n"}));
}

}  // namespace
}  // namespace flow::gateway
