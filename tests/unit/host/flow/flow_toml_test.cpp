// SPDX-License-Identifier: Apache-2.0
#include "host/flow/flow_toml.hpp"

#include <gmock/gmock.h>

#include "core/config.hpp"
#include "core/status.hpp"

namespace flow::host {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// What flow-host will read of what was built.
core::FlowConfig read_back(const FlowOptions& options, const std::vector<ExecutorSpec>& executors) {
  const auto text = flow_toml(options, executors);
  EXPECT_TRUE(text.ok()) << text.status();
  const auto config = core::parse_config(
      text.value_or(""), "/folder/flow.toml",
      [](const std::string& name) -> std::optional<std::string> { return "value of " + name; });
  EXPECT_TRUE(config.ok()) << config.status() << "\n" << text.value_or("");
  return config.value_or(core::FlowConfig{});
}

TEST(FlowToml, OfNothingButAnExecutorHasTheOptionsDefaults) {
  const core::FlowConfig config = read_back({}, {{}});
  EXPECT_EQ(config.gateway.port, 0);
  EXPECT_EQ(config.gateway.host, "0.0.0.0");
  ASSERT_EQ(config.executors.size(), 1u);
  EXPECT_EQ(config.executors[0].name, "executor0");
  EXPECT_EQ(config.executors[0].uses, "echo");
}

TEST(FlowToml, HasEverythingThatWasSaid) {
  const core::FlowConfig config =
      read_back({.name = "search",
                 .host = "127.0.0.1",
                 .port = 12345,
                 .plugins = {"/a", "/b c"},
                 .log_level = "debug"},
                {{.name = "first"},
                 {.name = "second",
                  .uses = "/x/y.so",
                  .uses_with = {{"dimensions", 256},
                                {"factor", 0.5},
                                {"nested", Json::Object{{"list", Json::Array{1, "two", true}}}}},
                  .port = 23456,
                  .replicas = 2,
                  .needs = {"first"},
                  .process = "shared",
                  .env = {{"OMP_NUM_THREADS", "1"}}}});
  EXPECT_EQ(config.name, "search");
  EXPECT_EQ(config.gateway.host, "127.0.0.1");
  EXPECT_EQ(config.gateway.port, 12345);
  EXPECT_THAT(config.plugins, ElementsAre("/a", "/b c"));
  EXPECT_EQ(config.log.level, "debug");
  const core::ExecutorConfig& second = config.executors.at(1);
  EXPECT_EQ(second.uses, "/x/y.so");
  EXPECT_EQ(second.port, 23456);
  EXPECT_EQ(second.replicas, 2u);
  EXPECT_THAT(second.needs, ElementsAre("first"));
  EXPECT_EQ(second.process, "shared");
  EXPECT_EQ(second.env.at("OMP_NUM_THREADS"), "1");
  const auto& with = std::get<core::Value::Map>(second.uses_with.data);
  ASSERT_EQ(with.size(), 3u);
  EXPECT_EQ(std::get<std::int64_t>(with[0].value.data), 256);
  EXPECT_EQ(std::get<double>(with[1].value.data), 0.5);
  EXPECT_EQ(with[2].key, "nested");
}

TEST(FlowToml, TakesTextAsItIs) {
  for (const std::string text : {"${HOME}", "$$", "a\"b\\c\n\td", "ünï", "", "'''", "[x]\n#"}) {
    const core::FlowConfig config =
        read_back({}, {{.uses_with = {{"text", text}}, .env = {{"A", text}}}});
    const auto& with = std::get<core::Value::Map>(config.executors.at(0).uses_with.data);
    EXPECT_EQ(std::get<std::string>(with.at(0).value.data), text);
    EXPECT_EQ(config.executors[0].env.at("A"), text);
  }
}

TEST(FlowToml, TakesAnyKey) {
  const core::FlowConfig config = read_back({}, {{.uses_with = {{"a.b c\"", 1}}}});
  EXPECT_EQ(std::get<core::Value::Map>(config.executors.at(0).uses_with.data).at(0).key, "a.b c\"");
}

TEST(FlowToml, RefusesWhatTomlDoesNotHaveAndSaysWhere) {
  const auto null = flow_toml(
      {}, {{.name = "x", .uses_with = {{"a", Json::Object{{"b", Json::Array{nullptr}}}}}}});
  EXPECT_THAT(std::string(core::message(null.status())),
              HasSubstr("executor \"x\": uses_with.a.b[] is null"));
  EXPECT_FALSE(flow_toml({}, {{.uses_with = {{"a", "\xff"}}}}).ok());
}

}  // namespace
}  // namespace flow::host
