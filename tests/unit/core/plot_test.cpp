// SPDX-License-Identifier: Apache-2.0
#include "core/plot.hpp"

#include <gmock/gmock.h>

namespace flow::core {
namespace {

using testing::HasSubstr;
using testing::Not;

ExecutorConfig executor(std::string name, std::string uses, std::vector<std::string> needs) {
  ExecutorConfig config;
  config.name = std::move(name);
  config.uses = std::move(uses);
  config.needs = std::move(needs);
  return config;
}

TEST(Plot, OfAChainGoesFromTheGatewayBackToIt) {
  FlowConfig config;
  config.executors = {executor("normalize", "text-normalize", {}),
                      executor("encode", "/plugins/encoder.so", {"normalize"})};
  config.executors[1].replicas = 3;
  EXPECT_EQ(plot_mermaid(config),
            "flowchart LR\n"
            "    start([gateway])\n"
            "    finish([gateway])\n"
            "    e0[\"normalize<br/>text-normalize\"]\n"
            "    e1[\"encode<br/>encoder.so ×3\"]\n"
            "    start --> e0\n"
            "    e0 --> e1\n"
            "    e1 --> finish\n");
}

TEST(Plot, ShowsBranchesAndJoins) {
  FlowConfig config;
  config.executors = {executor("a", "echo", {}), executor("b", "echo", {"a"}),
                      executor("c", "echo", {"a"}), executor("d", "echo", {"b", "c"})};
  const std::string plot = plot_mermaid(config);
  for (const char* edge :
       {"e0 --> e1\n", "e0 --> e2\n", "e1 --> e3\n", "e2 --> e3\n", "e3 --> finish\n"}) {
    EXPECT_THAT(plot, HasSubstr(edge));
  }
  EXPECT_THAT(plot, Not(HasSubstr("e1 --> finish")));
}

TEST(Plot, KeepsWhatMermaidWouldTakeForItsOwn) {
  FlowConfig config;
  config.executors = {executor("end", "x\"]; click<b>", {})};
  EXPECT_THAT(plot_mermaid(config), HasSubstr("e0[\"end<br/>x#34;]#59; click#60;b#62;\"]\n"));
}

}  // namespace
}  // namespace flow::core
