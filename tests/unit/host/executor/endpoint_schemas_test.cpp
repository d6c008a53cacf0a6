// SPDX-License-Identifier: Apache-2.0
//
// What an executor says of its endpoints, from which a gateway describes the whole Flow.
#include "host/executor/endpoint_schemas.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "google/protobuf/util/json_util.h"
#include "google/protobuf/util/message_differencer.h"
#include "host/plugin/plugin_info.hpp"

namespace flow::host {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;
using testing::ElementsAre;

// Of a plugin with these endpoints.
Struct schemas(const std::string& endpoints) {
  const auto info =
      parse_plugin_info(R"({"abi": {"major": 1}, "id": "x", "endpoints": )" + endpoints + "}");
  EXPECT_TRUE(info.ok()) << info.status();
  return endpoint_schemas(*info);
}
const Struct& in(const Struct& map, const std::string& key) {
  return map.fields().at(key).struct_value();
}
// Is this what the map says?
MATCHER_P(Says, json, "") {
  Struct expected;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(json, &expected).ok());
  return google::protobuf::util::MessageDifferencer::Equals(arg, expected);
}
std::vector<std::string> keys(const Struct& map) {
  std::vector<std::string> result;
  for (const auto& [key, value] : map.fields()) result.push_back(key);
  std::sort(result.begin(), result.end());
  return result;
}

TEST(EndpointSchemas, HaveTheFormOfJinas) {
  const auto all = schemas(R"([{"path": "/index", "summary": "s", "reads": ["text"],
                                "writes": ["embedding", "tags.language"]}])");

  EXPECT_THAT(keys(all), ElementsAre("/index", "_jina_dry_run_"));
  const auto& index = in(all, "/index");
  EXPECT_THAT(keys(index), ElementsAre("input", "is_generator", "is_singleton_doc", "output",
                                       "parameters", "reads", "summary", "writes"));
  EXPECT_THAT(in(index, "input"),
              Says(R"({"model":{"properties":{"id":{"type":"string"},"text":{"type":"string"}},)"
                   R"("title":"index_input","type":"object"},"name":"index_input"})"));
  EXPECT_THAT(keys(in(in(in(index, "output"), "model"), "properties")),
              ElementsAre("embedding", "id", "tags", "text"));
  EXPECT_FALSE(index.fields().at("is_generator").bool_value());
  EXPECT_FALSE(index.fields().at("is_singleton_doc").bool_value());
  EXPECT_THAT(in(index, "parameters"), Says(R"({"model":null,"name":null})"));
  EXPECT_EQ(index.fields().at("summary").string_value(), "s");
  EXPECT_EQ(index.fields().at("writes").list_value().values(1).string_value(), "tags.language");
}

TEST(EndpointSchemas, HaveEveryFieldIfThePluginNamesNone) {
  const auto all = schemas("[]");

  EXPECT_THAT(keys(all), ElementsAre("/default", "_jina_dry_run_"));
  const auto& model = in(in(in(all, "/default"), "input"), "model");
  EXPECT_THAT(keys(in(model, "properties")),
              ElementsAre("blob", "chunks", "embedding", "id", "matches", "mime_type", "scores",
                          "tags", "tensor", "text", "uri"));
}

TEST(EndpointSchemas, CallWhatStreamsAGenerator) {
  const auto all = schemas(R"([{"path": "/count", "streams": true}])");

  EXPECT_TRUE(in(all, "/count").fields().at("is_generator").bool_value());
  EXPECT_TRUE(in(all, "/count").fields().at("is_singleton_doc").bool_value());
}

TEST(EndpointSchemas, DescribeParametersAsFarAsTheyAreKnown) {
  const auto all = schemas(R"([{"path": "/search/best", "parameters": ["any"],
    "parameter_schema": [
      {"name": "top_k", "type": "integer", "default": 5, "min": 1, "max": 9, "summary": "s"},
      {"name": "mode", "type": "string", "choices": ["a", "b"], "required": true},
      {"name": "weights", "type": "list"}, {"name": "filter", "type": "map"}]}])");

  const auto& parameters = in(in(all, "/search/best"), "parameters");
  EXPECT_EQ(parameters.fields().at("name").string_value(), "search_best_parameters");
  const auto& model = in(parameters, "model");
  EXPECT_THAT(
      in(model, "properties"),
      Says(R"({"any":{},"filter":{"type":"object"},"mode":{"enum":["a","b"],"type":"string"},)"
           R"("top_k":{"default":5,"description":"s","maximum":9,"minimum":1,"type":"integer"},)"
           R"("weights":{"items":{},"type":"array"}})"));
  EXPECT_EQ(model.fields().at("required").list_value().values_size(), 1);
}

TEST(EndpointSchemas, NameEveryPath) {
  const auto all = schemas(R"([{"path": "/"}, {"path": "/a-b/c"}])");

  EXPECT_EQ(in(in(all, "/"), "input").fields().at("name").string_value(), "root_input");
  EXPECT_EQ(in(in(all, "/a-b/c"), "input").fields().at("name").string_value(), "a_b_c_input");
}

TEST(EndpointSchemas, SayWhatMayRunTwice) {
  const auto all = schemas(R"([{"path": "/search", "idempotent": true}, {"path": "/index"}])");

  EXPECT_TRUE(in(all, "/search").fields().at("idempotent").bool_value());
  EXPECT_FALSE(in(all, "/index").fields().contains("idempotent"));
}

}  // namespace
}  // namespace flow::host
