// SPDX-License-Identifier: Apache-2.0
//
// What of a file can change while its Flow runs.
#include "host/supervisor/config_change.hpp"

#include "core/status.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::host {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kTwo = R"(
[[executors]]
name = "a"
uses = "x"
uses_with = { n = 1, list = [1, "two", true, 0.5], map = { k = "v" } }
env = { A = "1" }
[[executors]]
name = "b"
uses = "x"
)";

core::FlowConfig parsed(const std::string& text) {
  auto config = core::parse_config(text, "/flow/flow.toml", core::process_environment());
  EXPECT_TRUE(config.ok()) << config.status();
  return config.ok() ? *std::move(config) : core::FlowConfig();
}

std::string replaced(std::string_view text, std::string_view what, std::string_view with) {
  std::string result(text);
  const std::size_t at = result.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return at == std::string::npos ? result : result.replace(at, what.size(), with);
}

ConfigChange change(std::string_view what, std::string_view with) {
  return compare_configs(parsed(std::string(kTwo)), parsed(replaced(kTwo, what, with)));
}

TEST(ConfigChange, TheSameIsNoChangeWhereverItStandsInTheFile) {
  EXPECT_TRUE(compare_configs(parsed(std::string(kTwo)), parsed("\n\n# more\n" + std::string(kTwo)))
                  .nothing());
}

TEST(ConfigChange, WhatAProcessReadsReplacesThatExecutorAlone) {
  const std::vector<std::pair<std::string, std::string>> changes = {
      {"n = 1", "n = 2"},
      {"n = 1", "n = 1.0"},
      {"n = 1", "m = 1"},
      {"\"two\"", "\"three\""},
      {"true", "false"},
      {"[1, \"two\", true, 0.5]", "[1, \"two\", true]"},
      {"k = \"v\"", "k = \"w\""},
      {"A = \"1\"", "A = \"2\""},
      {"env", "timeout_ready = \"1s\"\nenv"},
      {"env", "hang_budget = \"1s\"\nenv"},
      {"env", "fault = { crash = 0.5 }\nenv"},
      {"uses = \"x\"", "uses = \"y\""},
  };
  for (const auto& [what, with] : changes) {
    const ConfigChange result = change(what, with);
    EXPECT_THAT(result.executors, ElementsAre(0)) << with;
    EXPECT_THAT(result.refused, IsEmpty()) << with;
    EXPECT_FALSE(result.supervise);
  }
}

TEST(ConfigChange, ThePolicyOfRestartsReplacesNobody) {
  const auto result = change("\n[[executors]]",
                             "\n[supervise]\nrestart = \"always\"\nrestarts = 9\n"
                             "restart_window = \"1s\"\nbackoff_first = \"1s\"\n"
                             "backoff_last = \"2s\"\n[[executors]]");
  EXPECT_TRUE(result.supervise);
  EXPECT_THAT(result.executors, IsEmpty());
  EXPECT_THAT(result.refused, IsEmpty());
}

TEST(ConfigChange, WhatOthersHaveArrangedThemselvesByIsRefused) {
  const std::vector<std::pair<std::string, std::string>> changes = {
      {"name = \"other\"", "the name of the Flow"},
      {"plugins = [\"elsewhere\"]", "plugins (the folders)"},
      {"[gateway]\nport = 1", "[gateway]"},
      {"[gateway]\ntls = { certificate = \"c\", key = \"k\" }", "[gateway]"},
      {"[health]\nheartbeat_interval = \"1s\"", "[health]"},
      {"[log]\nlevel = \"debug\"", "[log]"},
      {"[supervise]\nlame_duck = \"1s\"",
       "lame_duck, drain_timeout and crash_reports of [supervise]"},
      {"[supervise]\ndrain_timeout = \"1s\"",
       "lame_duck, drain_timeout and crash_reports of [supervise]"},
      {"[supervise]\ncrash_reports = \"/x\"",
       "lame_duck, drain_timeout and crash_reports of [supervise]"},
  };
  for (const auto& [text, what] : changes) {
    const auto result = change("\n[[executors]]", "\n" + text + "\n[[executors]]");
    ASSERT_EQ(result.refused.size(), 1U) << text;
    EXPECT_EQ(result.refused[0], what + " cannot change while it runs");
  }
}

TEST(ConfigChange, TheGraphIsRefused) {
  for (const char* more : {"port = 7000", "host = \"::1\"", "replicas = 2", "process = \"p\"",
                           "max_in_flight = 9", "idempotent = [\"*\"]"}) {
    const auto result = change("name = \"b\"", std::string("name = \"b\"\n") + more);
    EXPECT_THAT(result.refused, ElementsAre(HasSubstr("of executor \"b\" host, port")));
  }
  EXPECT_THAT(change("name = \"b\"", "name = \"c\"").refused,
              ElementsAre(HasSubstr("which executors there are")));
  EXPECT_THAT(change("\n[[executors]]", "\n[[executors]]\nuses = \"z\"\n[[executors]]").refused,
              ElementsAre(HasSubstr("which executors there are")));
}

}  // namespace
}  // namespace flow::host
