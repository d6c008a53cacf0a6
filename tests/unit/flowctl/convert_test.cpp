// SPDX-License-Identifier: Apache-2.0
// Jina's flow YAML as flow.toml.
#include "flowctl/convert/convert.hpp"

#include "core/config.hpp"
#include "core/status.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::ctl {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

std::optional<std::string> no_environment(const std::string&) { return std::nullopt; }

Conversion convert(std::string_view yaml) {
  const auto conversion = convert_flow(yaml, "flow.yml");
  EXPECT_TRUE(conversion.ok()) << conversion.status();
  if (!conversion.ok()) return {};
  const auto environment = [](const std::string&) { return std::optional<std::string>("1"); };
  const auto checked = core::parse_config(conversion->toml, "flow.toml", environment);
  EXPECT_TRUE(checked.ok()) << checked.status() << '\n' << conversion->toml;
  return *conversion;
}

// The TOML without its head.
std::string toml_of(std::string_view yaml) {
  const std::string toml = convert(yaml).toml;
  return toml.substr(toml.find("\n\n") + 2);
}

std::vector<std::string> notes_of(std::string_view yaml) { return convert(yaml).notes; }

std::string error_of(std::string_view yaml) {
  const auto conversion = convert_flow(yaml, "flow.yml");
  EXPECT_FALSE(conversion.ok());
  return std::string(core::message(conversion.status()));
}

std::string executor(std::string_view keys) {
  return "jtype: Flow\nexecutors:\n  - uses: echo\n    " + std::string(keys) + "\n";
}

TEST(ConvertFlow, ConvertsAWholeFlow) {
  const Conversion conversion = convert(R"(jtype: Flow
version: '1'
with:
  name: search
  port: 12345
  protocol: grpc
  host: 127.0.0.1
  timeout_send: 2000
executors:
  - name: normalize
    uses: text-normalize
    replicas: 2
  - name: encode
    uses: text-encoder
    uses_with:
      dimensions: 64
      rate: 0.5
      labels: [a, "b\"c"]
    needs: normalize
    env: {OMP_NUM_THREADS: 1, MODE: fast}
    timeout_ready: 60000
)");
  EXPECT_THAT(conversion.notes, IsEmpty());
  EXPECT_EQ(conversion.toml, R"(# Converted by flowctl from flow.yml.

name = "search"

[gateway]
port = 12345
host = "127.0.0.1"
timeout_send = "2000ms"

[[executors]]
uses = "text-normalize"
name = "normalize"
replicas = 2

[[executors]]
uses = "text-encoder"
name = "encode"
uses_with = { dimensions = 64, rate = 0.5, labels = ["a", "b\"c"] }
needs = ["normalize"]
env = { OMP_NUM_THREADS = "1", MODE = "fast" }
timeout_ready = "60000ms"
)");
}

TEST(ConvertFlow, TheShortestFlowIsJinasExecutorThatGivesBackWhatItGets) {
  for (const char* yaml : {"executors: [{}]", "!Flow\nexecutors:\n  - uses: BaseExecutor",
                           "executors:\n  - uses:\n"}) {
    EXPECT_EQ(toml_of(yaml), "[[executors]]\nuses = \"echo\"\n") << yaml;
    EXPECT_THAT(notes_of(yaml), IsEmpty()) << yaml;
  }
}

TEST(ConvertFlow, SaysLineByLineWhatHasNoCounterpart) {
  EXPECT_THAT(
      notes_of("jtype: Flow\nwith:\n  monitoring: true\n  tracing: {a: b}\nexecutors:\n"
               "  - name: a\n    uses: jinahub+docker://Clip:latest\n    py_modules: x.py\n"
               "metas: 1\n"),
      ElementsAre("flow.yml:3: monitoring: true has no counterpart",
                  "flow.yml:4: tracing: has no counterpart",
                  "flow.yml:7: uses: jinahub+docker://Clip:latest has no counterpart: a "
                  "plugin \"Clip\" is expected in its place",
                  "flow.yml:8: py_modules: x.py has no counterpart: an executor is a shared "
                  "library, see docs/writing-a-plugin.md",
                  "flow.yml:9: metas: 1 has no counterpart"));
}

TEST(ConvertFlow, PutsTheNotesIntoTheFileToo) {
  EXPECT_THAT(
      convert(executor("volumes: [a]")).toml,
      StartsWith("# Converted by flowctl from flow.yml.\n# flow.yml:4: volumes: has no "
                 "counterpart: executors are processes, not containers\n\n[[executors]]\n"));
}

TEST(ConvertFlow, ExpectsAPluginInPlaceOfEverythingElse) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"jinahub://Clip", "Clip"},
      {"jinaai://user/Clip:v1", "Clip"},
      {"docker://registry.org/my-image:tag", "my-image"},
      {"MyExecutor", "MyExecutor"},
      {"exec/config.yml", "config"},
      {"'a b'", "a-b"},
      {"'://'", "plugin"},
      {"{jtype: Inline, with: {a: 1}}", "plugin"},
      {"3", "plugin"},
  };
  for (const auto& [uses, name] : cases) {
    const std::string yaml = "executors:\n  - uses: " + uses + "\n";
    EXPECT_EQ(toml_of(yaml), "[[executors]]\nuses = \"" + name + "\"\n") << uses;
    EXPECT_THAT(notes_of(yaml), ElementsAre(AllOf(StartsWith("flow.yml:2: uses: "),
                                                  HasSubstr("has no counterpart"))))
        << uses;
  }
}

TEST(ConvertFlow, LeavesOutWhatThisVersionsConfigurationRefuses) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"replicas: 0", "replicas: "},
      {"port: 70000", "port: "},
      {"name: 'a/b'", "name: "},
      {"needs: nobody", "needs: "},
      {"some_new_key: 1", "some_new_key: 1 has no counterpart"},
  };
  for (const auto& [keys, note] : cases) {
    EXPECT_EQ(toml_of(executor(keys)), "[[executors]]\nuses = \"echo\"\n") << keys;
    EXPECT_THAT(notes_of(executor(keys)), ElementsAre(StartsWith("flow.yml:4: " + note))) << keys;
  }
}

TEST(ConvertFlow, WhatDependsOnSomethingLeftOutGoesTooAndIsNoted) {
  const auto notes = notes_of(
      "executors:\n  - uses: echo\n    name: 'a/b'\n"
      "  - uses: echo\n    name: c\n    needs: ['a/b']\n");
  EXPECT_THAT(notes,
              ElementsAre(StartsWith("flow.yml:3: name: "), StartsWith("flow.yml:6: needs: ")));
}

TEST(ConvertFlow, RefusesValuesOfTheWrongKindOneByOne) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"replicas: many", "replicas: expected a whole number, found a text"},
      {"replicas: [1]", "replicas: expected a whole number, found a list"},
      {"replicas: 1.5", "replicas: expected a whole number, found a number"},
      {"name: 7", "name: expected a text, found a whole number"},
      {"needs: {a: b}", "needs: expected a name or a list of names, found a map"},
      {"env: [A]", "env: expected a map of texts, found a list"},
      {"env: {A: [1]}", "env: expected a map of texts, found a map"},
      {"external: 1", "external: expected true or false, found a whole number"},
      {"timeout_ready: soon", "timeout_ready: expected milliseconds, found a text"},
      {"timeout_ready: -1", "timeout_ready: no limit has no counterpart: choose a long one"},
  };
  for (const auto& [keys, note] : cases) {
    EXPECT_THAT(notes_of(executor(keys)), ElementsAre("flow.yml:4: " + note)) << keys;
  }
}

TEST(ConvertFlow, ConvertsVariables) {
  EXPECT_EQ(toml_of("with: {port: '${{ ENV.PORT }}', timeout_send: $WAIT}\nexecutors:\n"
                    "  - uses: echo\n    uses_with: {path: '$HOME/x', price: 5$}\n"),
            "[gateway]\nport = \"${PORT}\"\ntimeout_send = \"${WAIT}ms\"\n\n[[executors]]\n"
            "uses = \"echo\"\nuses_with = { path = \"${HOME}/x\", price = \"5$$\" }\n");
  EXPECT_THAT(notes_of(executor("name: ${{ CONTEXT.name }}")),
              ElementsAre("flow.yml:4: name: the variable \"${{ CONTEXT.name }}\" has no "
                          "counterpart, only those of the environment have (${{ ENV.NAME }})"));
}

TEST(ConvertFlow, ServesSeveralProtocolsOnTheFirstPort) {
  const std::string yaml =
      "gateway: {protocol: [grpc, http], port: [12345, 12346]}\nexecutors: [{uses: echo}]\n";
  EXPECT_EQ(toml_of(yaml), "[gateway]\nport = 12345\n\n[[executors]]\nuses = \"echo\"\n");
  EXPECT_THAT(notes_of(yaml), ElementsAre(HasSubstr("one port serves all protocols")));
}

TEST(ConvertFlow, RefusesWhatIsNoFlow) {
  EXPECT_EQ(error_of("jtype: Deployment\nexecutors: [{}]"),
            "flow.yml:1: jtype is \"Deployment\", expected Flow: only a Flow converts");
  EXPECT_THAT(error_of("jtype: [Flow]"), HasSubstr("jtype is a list, expected Flow"));
  EXPECT_THAT(error_of("- a"), HasSubstr("expected a map with \"executors\", found a list"));
  EXPECT_THAT(error_of("jtype: Flow"), HasSubstr("expected a list \"executors\""));
  EXPECT_THAT(error_of("executors: []"), HasSubstr("flow.yml:1: expected a list \"executors\""));
  EXPECT_THAT(error_of("a: 1\nexecutors: {a: b}"), HasSubstr("flow.yml:2: expected a list"));
  EXPECT_THAT(error_of("executors: [1, [], x]"), HasSubstr("flow.yml"));
  EXPECT_THAT(error_of("a: ["), StartsWith("flow.yml:"));
}

TEST(ConvertFlow, NotesSectionsOfTheWrongKind) {
  EXPECT_THAT(notes_of("with: [a]\ngateway: 3\nexecutors: [{uses: echo}, x]\n"),
              ElementsAre("flow.yml:1: with: expected a map, found a list",
                          "flow.yml:2: gateway: expected a map, found a whole number",
                          "flow.yml:3: executors: expected a map, found a text"));
}

TEST(ConvertFlow, KeepsHostileTextsInTheirPlace) {
  const Conversion conversion = convert(
      executor("uses_with: {\"a\\\"]\\n[gateway]\\nport = 1\": \"x\\\"\\n[[executors]]\"}\n    "
               "\"k\\n[x]\": 1"));
  const auto config = core::parse_config(conversion.toml, "flow.toml", no_environment);
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->executors.size(), 1U);
  EXPECT_EQ(config->gateway.port, 12345);
  EXPECT_THAT(conversion.notes, ElementsAre(HasSubstr("k\\n[x]: 1 has no counterpart")));
}

TEST(ConvertFlow, ManyRefusalsAreLeftOutInReasonableTime) {
  std::string yaml = "executors:\n";
  for (int i = 0; i < 200; ++i) yaml += "  - {uses: echo, replicas: 0, port: 99999, name: '/'}\n";
  EXPECT_EQ(notes_of(yaml).size(), 600U);
}

}  // namespace
}  // namespace flow::ctl
