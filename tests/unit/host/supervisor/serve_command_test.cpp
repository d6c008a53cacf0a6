// SPDX-License-Identifier: Apache-2.0
//
// What a host process is to serve: the supervisor's command line and a person's.
#include "host/supervisor/serve_command.hpp"

#include "core/status.hpp"
#include "flow_driver.hpp"
#include "gtest/gtest.h"
#include "host/supervisor/flow_plan.hpp"

namespace flow::host {
namespace {

std::string refusal(const core::FlowConfig& config, const std::vector<std::string>& executors,
                    std::uint32_t replica, const std::vector<std::string>& listens) {
  const auto specs = serve_specs(config, executors, replica, listens);
  return specs.ok() ? "accepted" : std::string(core::message(specs.status()));
}

TEST(ServeSpecs, WithoutListenTheFileSaysWhere) {
  auto config = test_config({test_executor("a", {}, "", 3)});
  config.executors[0].host = "127.0.0.1";
  config.executors[0].port = 5000;

  const auto specs = serve_specs(config, {"a"}, 2, {});

  ASSERT_TRUE(specs.ok());
  ASSERT_EQ(specs->size(), 1U);
  EXPECT_EQ(specs->front().executor, "a");
  EXPECT_EQ(specs->front().replica, 2U);
  EXPECT_EQ(specs->front().tcp_address, "127.0.0.1:5002");
  EXPECT_EQ(specs->front().unix_path, "");
}

TEST(ServeSpecs, PortZeroStaysAnyFreeOneForEachReplica) {
  const auto config = test_config({test_executor("a", {}, "", 3)});
  EXPECT_EQ(serve_specs(config, {"a"}, 2, {})->front().tcp_address, "0.0.0.0:0");
}

TEST(ServeSpecs, UnderstandsWhatTheSupervisorWrites) {
  const auto config = test_config({test_executor("a", {}, "p"), test_executor("b", {}, "p")});
  FlowPlan plan = plan_flow(config);
  plan.replicas[0].tcp_address = "0.0.0.0:1";
  plan.replicas[0].unix_path = "/run/a-0.sock";
  plan.replicas[1].tcp_address = "[::1]:2";
  std::vector<std::string> executors;
  std::vector<std::string> listens;
  const auto command = child_command(config, plan, 1, {"host", "gateway"});
  for (std::size_t i = 0; i + 1 < command.size(); ++i) {
    if (command[i] == "--executor") executors.push_back(command[i + 1]);
    if (command[i] == "--listen") listens.push_back(command[i + 1]);
  }

  const auto specs = serve_specs(config, executors, 0, listens);

  ASSERT_TRUE(specs.ok()) << specs.status();
  ASSERT_EQ(specs->size(), 2U);
  EXPECT_EQ((*specs)[0].tcp_address, "0.0.0.0:1");
  EXPECT_EQ((*specs)[0].unix_path, "/run/a-0.sock");
  EXPECT_EQ((*specs)[1].tcp_address, "[::1]:2");
}

TEST(ServeSpecs, RefusesWhatItCannotServeAndSaysWhy) {
  const auto config = test_config({test_executor("encoder"), test_executor("b")});
  EXPECT_EQ(refusal(config, {"encodr"}, 0, {}),
            "--executor encodr: flow.toml has no executor of this name (did you mean "
            "\"encoder\"?)");
  EXPECT_EQ(refusal(config, {"b"}, 1, {}), "--replica 1: executor \"b\" has 1, counted from 0");
  EXPECT_EQ(refusal(config, {"b", "b"}, 0, {}), "--executor b: given twice");
  EXPECT_EQ(refusal(config, {"b"}, 0, {"0.0.0.0:1"}),
            "--listen 0.0.0.0:1: expected NAME=HOST:PORT or NAME=unix:PATH");
  EXPECT_EQ(refusal(config, {"b"}, 0, {"encoder=0.0.0.0:1"}),
            "--listen encoder=0.0.0.0:1: \"encoder\" is not among the --executor");
  EXPECT_NE(refusal(config, {"b"}, 0, {"b=nonsense"}), "accepted");
}

TEST(ServeSpecs, RefusesAPortBeyondTheLast) {
  auto config = test_config({test_executor("a", {}, "", 3)});
  config.executors[0].port = 65534;
  EXPECT_EQ(refusal(config, {"a"}, 2, {}),
            "--replica 2: port 65534 of executor \"a\" plus 2 is beyond 65535");
}

TEST(ServeSpecs, ShowsAllThatIsWrong) {
  const auto config = test_config({test_executor("a")});
  EXPECT_EQ(refusal(config, {"a"}, 0, {"x", "y"}),
            "--listen x: expected NAME=HOST:PORT or NAME=unix:PATH\n"
            "--listen y: expected NAME=HOST:PORT or NAME=unix:PATH");
}

}  // namespace
}  // namespace flow::host
