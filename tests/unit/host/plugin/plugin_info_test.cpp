// SPDX-License-Identifier: Apache-2.0
//
// Metadata is refused with a message that tells its author what to change.
#include "host/plugin/plugin_info.hpp"

#include <gmock/gmock.h>

namespace flow::host {
namespace {

using testing::HasSubstr;

std::string error_of(std::string_view json, AbiVersion host = AbiVersion{1, 0}) {
  const auto info = parse_plugin_info(json, host);
  return info.ok() ? "" : std::string(info.status().message());
}

// Metadata with these members added to the necessary ones.
std::string with(std::string_view members) {
  return R"({"abi": {"major": 1}, "id": "x", )" + std::string(members) + "}";
}
std::string with_key(std::string_view members) {
  return with(R"("config": [{"name": "k", )" + std::string(members) + "}]");
}

TEST(PluginInfo, IsReadFromJson) {
  const auto info = parse_plugin_info(R"({
    "abi": {"major": 1, "minor": 0}, "id": "x", "version": "1.2.3",
    "endpoints": [{"path": "/index", "writes": ["tags"]}, {"path": "_jina_dry_run_"}],
    "config": [{"name": "mode", "type": "string", "default": "a", "choices": ["a", "b"]},
               {"name": "n", "type": "integer", "default": 3, "min": 1, "max": 5}]})");

  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->version(), "1.2.3");
  EXPECT_EQ(info->endpoints(0).path(), "/index");
  EXPECT_EQ(info->config(1).default_().number_value(), 3);
}

TEST(PluginInfo, IgnoresTheZerosThatPadANote) {
  EXPECT_EQ(metadata_text(std::string_view("{}\0\0\0", 5)), "{}");
  EXPECT_EQ(metadata_text(std::string_view("\0\0", 2)), "");
  EXPECT_EQ(metadata_text(""), "");
}

TEST(PluginInfo, RefusesWhatIsNoJsonAndWhatItDoesNotKnow) {
  EXPECT_THAT(error_of("{\"id\": "), HasSubstr("metadata cannot be read"));
  EXPECT_THAT(error_of(""), HasSubstr("metadata cannot be read"));
  EXPECT_THAT(error_of(with(R"("colour": "red")")), HasSubstr("colour"));
}

TEST(PluginInfo, NeedsAnId) {
  EXPECT_THAT(error_of(R"({"abi": {"major": 1}})"), HasSubstr("has no id"));
}

TEST(PluginInfo, SaysWhichAbiIsOfferedAndWhichIsNeeded) {
  EXPECT_EQ(error_of(R"({"abi": {"major": 1, "minor": 99}, "id": "x"})"),
            "plugin \"x\" was built for ABI 1.99, this host offers 1.0: rebuild it or update "
            "flow-host");
  EXPECT_THAT(error_of(R"({"abi": {"major": 2}, "id": "x"})"), HasSubstr("ABI 2.0"));
  EXPECT_THAT(error_of(R"({"id": "x"})"), HasSubstr("ABI 0.0"));
}

TEST(PluginInfo, AcceptsOlderMinorsAndNewerOnesThatRunOnOlderHosts) {
  EXPECT_EQ(error_of(R"({"abi": {"major": 1, "minor": 2}, "id": "x"})", {1, 3}), "");
  EXPECT_EQ(error_of(R"({"abi": {"major": 1, "minor": 5, "min_minor": 3}, "id": "x"})", {1, 3}),
            "");
  EXPECT_THAT(error_of(R"({"abi": {"major": 1, "minor": 5, "min_minor": 4}, "id": "x"})", {1, 3}),
              HasSubstr("ABI 1.5"));
}

TEST(PluginInfo, ComplainsOfTheAbiAndNotOfTheFieldsThatANewerOneBrought) {
  EXPECT_THAT(error_of(R"({"abi": {"major": 1, "minor": 9}, "id": "x", "novelty": 1})"),
              HasSubstr("ABI 1.9"));
  EXPECT_EQ(
      error_of(R"({"abi": {"major": 1, "minor": 9, "min_minor": 0}, "id": "x", "novelty": 1})"),
      "");
}

TEST(PluginInfo, ChecksEndpoints) {
  EXPECT_THAT(error_of(with(R"("endpoints": [{"path": "index"}])")),
              HasSubstr("endpoint \"index\" does not start with '/'"));
  EXPECT_THAT(error_of(with(R"("endpoints": [{}])")), HasSubstr("endpoint \"\""));
  EXPECT_THAT(error_of(with(R"("endpoints": [{"path": "/a"}, {"path": "/a"}])")),
              HasSubstr("listed twice"));
}

TEST(PluginInfo, ChecksParametersLikeConfigKeys) {
  const auto error = [](const std::string& members) {
    return error_of(with(R"("endpoints": [{"path": "/a", )" + members + "}]"));
  };
  EXPECT_EQ(error(R"("streams": true, "parameters": ["a"],
                     "parameter_schema": [{"name": "b", "type": "integer", "default": 1}])"),
            "");
  EXPECT_THAT(error(R"("parameters": ["a", "a"])"),
              HasSubstr("endpoint \"/a\": parameter \"a\" is listed twice"));
  EXPECT_THAT(error(R"("parameters": [""])"), HasSubstr("a parameter has no name"));
  EXPECT_THAT(error(R"("parameters": ["a"], "parameter_schema": [{"name": "a", "type": "list"}])"),
              HasSubstr("parameter \"a\" is listed twice"));
  EXPECT_THAT(error(R"("parameter_schema": [{"name": "a", "type": "int"}])"),
              HasSubstr("parameter \"a\": its type \"int\" is none of"));
  EXPECT_THAT(error(R"("parameter_schema": [{"type": "string"}])"), HasSubstr("has no name"));
  EXPECT_THAT(error(R"("parameter_schema": [{"name": "a", "type": "string", "secret": true}])"),
              HasSubstr("parameter \"a\" is marked secret"));
}

TEST(PluginInfo, ChecksConfigKeys) {
  EXPECT_THAT(error_of(with_key(R"("type": "float")")),
              HasSubstr("config key \"k\": its type \"float\" is none of string, integer"));
  EXPECT_THAT(error_of(with_key(R"("type": "string", "default": 1)")),
              HasSubstr("its default is no string"));
  EXPECT_THAT(error_of(with_key(R"("type": "integer", "default": 1.5)")),
              HasSubstr("its default is no integer"));
  EXPECT_THAT(error_of(with_key(R"("type": "number", "default": 3, "max": 2)")),
              HasSubstr("outside min and max"));
  EXPECT_THAT(error_of(with_key(R"("type": "number", "min": 3, "max": 2)")),
              HasSubstr("min is larger than its max"));
  EXPECT_THAT(error_of(with_key(R"("type": "string", "min": 3)")), HasSubstr("no min and max"));
  EXPECT_THAT(error_of(with_key(R"("type": "number", "choices": ["1"])")),
              HasSubstr("only a string does"));
  EXPECT_THAT(error_of(with_key(R"("type": "string", "choices": ["a"], "default": "b")")),
              HasSubstr("none of its choices"));
  EXPECT_THAT(error_of(with(R"("config": [{"type": "string"}])")), HasSubstr("has no name"));
  EXPECT_THAT(error_of(with(R"("config": [{"name": "k", "type": "map"},
                                          {"name": "k", "type": "list"}])")),
              HasSubstr("listed twice"));
}

}  // namespace
}  // namespace flow::host
