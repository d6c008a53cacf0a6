// SPDX-License-Identifier: Apache-2.0
//
// What create() gets has no errors left in it, and what is wrong is said with its place.
#include "host/plugin/config_schema.hpp"

#include <gmock/gmock.h>

#include "host/plugin/plugin_info.hpp"

namespace flow::host {
namespace {

using core::Value;
using testing::HasSubstr;
using testing::Not;

flow::v1::PluginInfo schema() {
  auto info = parse_plugin_info(R"({"abi": {"major": 1}, "id": "x", "config": [
    {"name": "name", "type": "string", "required": true, "summary": "any text"},
    {"name": "mode", "type": "string", "default": "fast", "choices": ["fast", "exact"]},
    {"name": "count", "type": "integer", "default": 3, "min": 1, "max": 10},
    {"name": "ratio", "type": "number"},
    {"name": "verbose", "type": "boolean"},
    {"name": "labels", "type": "list"},
    {"name": "weights", "type": "map"},
    {"name": "token", "type": "string", "secret": true, "choices": ["right"]}]})");
  EXPECT_TRUE(info.ok()) << info.status();
  return *info;
}

absl::StatusOr<google::protobuf::Struct> check(Value::Map given) {
  core::FlowConfig config;
  config.file = "flow.toml";
  core::ExecutorConfig executor;
  executor.name = "e";
  executor.at = {3, 1};
  executor.uses_with.data = std::move(given);
  return check_plugin_config(config, executor, schema());
}
std::string error_of(Value::Map given) {
  const auto checked = check(std::move(given));
  return checked.ok() ? "" : std::string(checked.status().message());
}

Value text(std::string value, core::Location at = {7, 9}) { return {std::move(value), at}; }
Value integer(std::int64_t value) { return {value, {7, 9}}; }

TEST(ConfigSchema, CompletesWithDefaults) {
  const auto checked = check({{"name", text("n")}});

  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->fields().at("name").string_value(), "n");
  EXPECT_EQ(checked->fields().at("mode").string_value(), "fast");
  EXPECT_EQ(checked->fields().at("count").number_value(), 3);
  EXPECT_FALSE(checked->fields().contains("ratio"));
}

TEST(ConfigSchema, TakesEveryType) {
  const auto checked = check({{"name", text("n")},
                              {"mode", text("exact")},
                              {"count", integer(10)},
                              {"ratio", integer(2)},
                              {"verbose", {true, {}}},
                              {"labels", {Value::List{text("a"), integer(1)}, {}}},
                              {"weights", {Value::Map{{"x", {Value::List{{1.5, {}}}, {}}}}, {}}}});

  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->fields().at("ratio").number_value(), 2);
  EXPECT_TRUE(checked->fields().at("verbose").bool_value());
  EXPECT_EQ(checked->fields().at("labels").list_value().values(1).number_value(), 1);
  EXPECT_EQ(checked->fields()
                .at("weights")
                .struct_value()
                .fields()
                .at("x")
                .list_value()
                .values(0)
                .number_value(),
            1.5);
}

TEST(ConfigSchema, NamesThePlaceOfAnUnknownKeyAndWhatWasMeant) {
  EXPECT_EQ(
      error_of({{"name", text("n")}, {"cuont", integer(1)}}),
      "flow.toml:7:9: executor \"e\": uses_with.cuont is unknown to plugin \"x\" (did you mean "
      "\"count\"?); it knows name, mode, count, ratio, verbose, labels, weights, token");
}

TEST(ConfigSchema, SaysWhatIsMissingAtTheExecutor) {
  EXPECT_EQ(error_of({}),
            "flow.toml:3:1: executor \"e\": uses_with.name is missing: plugin \"x\" requires this "
            "string, any text");
}

TEST(ConfigSchema, ChecksTypesBoundsAndChoices) {
  const auto message = [](std::string key, Value value) {
    return error_of({{"name", text("n")}, {std::move(key), std::move(value)}});
  };
  EXPECT_THAT(message("count", text("3")), HasSubstr("must be an integer, not the string \"3\""));
  EXPECT_THAT(message("count", {1.0, {}}), HasSubstr("must be an integer, not the number 1"));
  EXPECT_THAT(message("count", integer(0)), HasSubstr("must be at least 1, not the integer 0"));
  EXPECT_THAT(message("count", integer(11)), HasSubstr("must be at most 10, not the integer 11"));
  EXPECT_THAT(message("ratio", integer(INT64_MAX)),
              HasSubstr("must lie within +-9007199254740992"));
  EXPECT_THAT(message("ratio", {std::numeric_limits<double>::infinity(), {}}),
              HasSubstr("must be finite"));
  EXPECT_THAT(message("verbose", integer(1)), HasSubstr("must be a boolean"));
  EXPECT_THAT(message("labels", text("a")), HasSubstr("must be a list"));
  EXPECT_THAT(message("weights", {Value::List{}, {}}), HasSubstr("must be a map, not a list"));
  EXPECT_THAT(message("mode", text("fats")),
              HasSubstr("must be one of \"fast\", \"exact\", not the string \"fats\" (did you mean "
                        "\"fast\"?)"));
}

TEST(ConfigSchema, ShowsAllThatIsWrong) {
  const auto message = error_of({{"count", integer(0)}, {"typo", integer(1)}});
  EXPECT_THAT(message, HasSubstr("uses_with.count must be"));
  EXPECT_THAT(message, HasSubstr("\nflow.toml:7:9: executor \"e\": uses_with.typo is unknown"));
  EXPECT_THAT(message, HasSubstr("\nflow.toml:3:1: executor \"e\": uses_with.name is missing"));
}

TEST(ConfigSchema, NeverShowsASecret) {
  const auto wrong_choice = error_of({{"name", text("n")}, {"token", text("hunter2")}});
  EXPECT_THAT(wrong_choice, HasSubstr("uses_with.token must be one of"));
  EXPECT_THAT(wrong_choice, Not(HasSubstr("hunter2")));
  const auto wrong_type = error_of({{"name", text("n")}, {"token", integer(4711)}});
  EXPECT_THAT(wrong_type, HasSubstr("must be a string, not an integer"));
  EXPECT_THAT(wrong_type, Not(HasSubstr("4711")));
}

// ---- idempotent ---------------------------------------------------------------------------------

absl::Status check_paths(const std::string& endpoints, std::vector<std::string> idempotent) {
  const auto info =
      parse_plugin_info(R"({"abi": {"major": 1}, "id": "x", "endpoints": )" + endpoints + "}");
  EXPECT_TRUE(info.ok()) << info.status();
  core::FlowConfig config;
  config.file = "flow.toml";
  core::ExecutorConfig executor;
  executor.name = "e";
  int column = 1;
  for (std::string& path : idempotent) executor.idempotent.push_back({path, {5, column++}});
  return check_idempotent(config, executor, *info);
}

TEST(Idempotent, MayNameWhatThePluginServesOrAllOfIt) {
  constexpr const char* kTwo = R"([{"path": "/search"}, {"path": "/index"}])";
  EXPECT_TRUE(check_paths(kTwo, {}).ok());
  EXPECT_TRUE(check_paths(kTwo, {"/search", "/index"}).ok());
  EXPECT_TRUE(check_paths(kTwo, {"*"}).ok());
}

TEST(Idempotent, MayNameAnythingIfThePluginTakesAnything) {
  EXPECT_TRUE(check_paths("[]", {"/whatever"}).ok());
  EXPECT_TRUE(check_paths(R"([{"path": "/default"}])", {"/whatever"}).ok());
}

TEST(Idempotent, WhatThePluginDoesNotServeIsRefusedWithAGuess) {
  const auto status = check_paths(R"([{"path": "/search"}])", {"/serch", "/search", "/other"});
  EXPECT_EQ(std::string(status.message()),
            "flow.toml:5:1: executor \"e\": idempotent has \"/serch\", which plugin \"x\" does not "
            "serve (did you mean \"/search\"?)\n"
            "flow.toml:5:3: executor \"e\": idempotent has \"/other\", which plugin \"x\" does not "
            "serve");
}

}  // namespace
}  // namespace flow::host
