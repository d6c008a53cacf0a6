// SPDX-License-Identifier: Apache-2.0
// What a person is told of a check that was not good.
#include "flowctl/explain.hpp"

#include "core/status.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::ctl {
namespace {

using testing::ElementsAre;

TEST(Explain, SaysWhatTheServerSaysAndItsEvidence) {
  CheckResult check;
  check.url = "grpc://localhost:12345";
  check.description = "failed |Gateway: Communication error";
  check.stacks = {"a/rep-0 at 0.0.0.0:1 is FAILED since then: killed\n", "b/rep-0 is HUNG\n"};
  EXPECT_EQ(explain(check, "flow"),
            (Message{"error",
                     "the flow is not ready:",
                     {"failed |Gateway: Communication error",
                      "a/rep-0 at 0.0.0.0:1 is FAILED since then: killed", "b/rep-0 is HUNG"}}));
}

TEST(Explain, SaysWhyThereWasNoAnswer) {
  CheckResult check;
  check.status = core::error(absl::StatusCode::kUnavailable, "Connection refused");
  const auto text_for = [&check](std::string url) {
    check.url = std::move(url);
    return explain(check, "flow").text;
  };
  EXPECT_EQ(text_for("grpc://h:1"), "Error while getting response from grpc server:");
  EXPECT_EQ(text_for("https://h:1"), "Error while getting response from http server:");
  EXPECT_EQ(text_for("ws://h:1"), "Error while getting response from websocket server:");
  EXPECT_EQ(text_for("nonsense://"), "Error while getting response from server:");
  EXPECT_THAT(explain(check, "flow").details,
              ElementsAre("status = UNAVAILABLE", "details = \"Connection refused\""));
}

}  // namespace
}  // namespace flow::ctl
