// SPDX-License-Identifier: Apache-2.0
// The description of what is served over HTTP. That it is valid is for a validator to say
// (tests/e2e/test_http.py); here it is read with protobuf's JSON reader.
#include "gateway/services/openapi.hpp"

#include "gmock/gmock.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"

namespace flow::gateway {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;
using testing::HasSubstr;
using testing::Not;

Struct parsed(const std::string& json) {
  Struct object;
  const auto status = google::protobuf::util::JsonStringToMessage(json, &object);
  EXPECT_TRUE(status.ok()) << status.ToString() << "\n" << json;
  return object;
}

// The value at the end of a way through objects; null if it leads nowhere.
Value at(const Struct& object, std::initializer_list<const char*> way) {
  Value value;
  *value.mutable_struct_value() = object;
  for (const char* key : way) {
    const auto& fields = value.struct_value().fields();
    const auto found = fields.find(key);
    Value next = found == fields.end() ? Value() : found->second;
    value = std::move(next);
  }
  return value;
}

jina::EndpointsProto discovered(const std::string& path, const std::string& schema) {
  jina::EndpointsProto endpoints;
  endpoints.add_endpoints(path);
  *(*endpoints.mutable_schemas()->mutable_fields())[path].mutable_struct_value() = parsed(schema);
  return endpoints;
}

TEST(OpenApi, OfNoExecutorHasThePathsThatAreAlwaysThere) {
  const Struct document = parsed(openapi_document({}, "shop \"1\""));

  EXPECT_EQ(at(document, {"openapi"}).string_value(), "3.1.0");
  EXPECT_EQ(at(document, {"info", "title"}).string_value(), "shop \"1\"");
  for (const auto& [path, method] :
       std::vector<std::pair<const char*, const char*>>{{"/post", "post"},
                                                        {"/index", "post"},
                                                        {"/search", "post"},
                                                        {"/delete", "delete"},
                                                        {"/update", "put"},
                                                        {"/dry_run", "get"},
                                                        {"/readyz", "get"},
                                                        {"/", "get"}}) {
    EXPECT_TRUE(at(document, {"paths", path, method}).has_struct_value()) << path;
  }
}

TEST(OpenApi, TellsOfAnEndpointWhatItsExecutorTells) {
  Endpoints endpoints;
  endpoints.set(0, "encode", discovered("/embed", R"({
      "input": {"name": "i", "model": {"type": "object", "properties": {"text": {"type": "string"}}}},
      "output": {"name": "o", "model": {"type": "object", "properties": {"embedding": {"type": "array", "items": {}}}}},
      "parameters": {"name": "p", "model": {"type": "object", "required": ["size"], "properties": {"size": {"type": "integer", "minimum": 1, "default": 64}}}},
      "is_generator": false, "summary": "Vectors", "reads": ["text"], "writes": ["embedding"]})"));
  const Struct document = parsed(openapi_document(endpoints, "shop"));

  const Struct operation = at(document, {"paths", "/embed", "post"}).struct_value();
  EXPECT_EQ(at(operation, {"summary"}).string_value(), "Vectors");
  EXPECT_EQ(at(operation, {"operationId"}).string_value(), "embed");
  EXPECT_EQ(at(operation, {"description"}).string_value(),
            "- **encode**: Vectors; reads text; writes embedding");
  const Struct body =
      at(operation, {"requestBody", "content", "application/json", "schema", "properties"})
          .struct_value();
  EXPECT_EQ(at(body, {"data", "items", "properties", "text", "type"}).string_value(), "string");
  EXPECT_EQ(at(body, {"parameters", "properties", "size", "minimum"}).number_value(), 1);
  const Value response =
      at(operation, {"responses", "200", "content", "application/json", "schema", "allOf"});
  ASSERT_EQ(response.list_value().values_size(), 2);
  EXPECT_THAT(response.DebugString(), HasSubstr("\"null\"")) << "answers have nulls";
}

TEST(OpenApi, OfSeveralExecutorsTakesTheFirstInputAndTheLastOutput) {
  const auto schema = [](const char* field) {
    return std::string(R"({"input":{"model":{"properties":{")") + field +
           R"(":{"type":"string"}}}},"output":{"model":{"properties":{")" + field +
           R"(":{"type":"string"}}}},"summary":")" + field + "\"}";
  };
  Endpoints endpoints;
  endpoints.set(0, "x", discovered("/a", schema("first")));
  endpoints.set(1, "y", discovered("/a", schema("last")));
  const Struct document = parsed(openapi_document(endpoints, "shop"));

  const Struct operation = at(document, {"paths", "/a", "post"}).struct_value();
  EXPECT_TRUE(at(operation, {"requestBody", "content", "application/json", "schema", "properties",
                             "data", "items", "properties", "first"})
                  .has_struct_value());
  const std::string response = at(operation, {"responses", "200"}).DebugString();
  EXPECT_THAT(response, HasSubstr("\"last\""));
  EXPECT_THAT(response, Not(HasSubstr("\"first\"")));
  EXPECT_EQ(at(operation, {"x-flow-executors"}).list_value().values_size(), 2);
}

TEST(OpenApi, GivesDefinitionsAPlaceWhereReferencesFindThem) {
  Endpoints endpoints;
  endpoints.set(0, "x", discovered("/a b", R"({"input":{"model":{"properties":{
      "chunks":{"type":"array","items":{"$ref":"#/definitions/My Doc"}}},
      "definitions":{"My Doc":{"properties":{"next":{"$ref":"#/definitions/My Doc"}}}}}}})"));
  const std::string text = openapi_document(endpoints, "shop");

  EXPECT_THAT(text, Not(HasSubstr("definitions")));
  EXPECT_THAT(
      text,
      HasSubstr(
          R"("a_b_input.My_Doc":{"properties":{"next":{"$ref":"#/components/schemas/a_b_input.My_Doc"}}})"));
}

TEST(OpenApi, HidesWhatHasNoPathAndKeepsOurOwn) {
  Endpoints endpoints;
  jina::EndpointsProto discovered;
  for (const char* path : {"_jina_dry_run_", "/_x", "/post", "/dry_run", "/index", "/delete"}) {
    discovered.add_endpoints(path);
  }
  endpoints.set(0, "x", discovered);
  const Struct document = parsed(openapi_document(endpoints, "shop"));

  EXPECT_FALSE(at(document, {"paths", "_jina_dry_run_"}).has_struct_value());
  EXPECT_FALSE(at(document, {"paths", "/_x"}).has_struct_value());
  EXPECT_FALSE(at(document, {"paths", "/dry_run", "post"}).has_struct_value());
  EXPECT_EQ(at(document, {"paths", "/index"}).struct_value().fields_size(), 1);
  EXPECT_EQ(at(document, {"paths", "/delete"}).struct_value().fields_size(), 2);
}

TEST(OpenApi, SurvivesSchemasThatAreNone) {
  for (const char* schema :
       {"{}", R"({"input":7,"output":"x","parameters":[],"summary":{},"reads":"x","writes":[1]})",
        R"({"input":{"model":null},"output":{"model":{"properties":7}},"summary":"<\u0000>"})",
        R"({"output":{"model":{"properties":{"a":7,"b":{"type":["x"]}}}}})",
        R"({"input":{"model":{"$defs":7,"definitions":{"a":1}}}})"}) {
    Endpoints endpoints;
    endpoints.set(0, "x", discovered("/a", schema));
    parsed(openapi_document(endpoints, "shop"));
  }
}

TEST(OpenApi, IsTheSameForTheSame) {
  const std::string schema = R"({"input":{"model":{"properties":{"a":{},"b":{},"c":{},"d":{}}}}})";
  Endpoints one, other;
  one.set(0, "x", discovered("/a", schema));
  other.set(0, "x", discovered("/old", "{}"));
  other.set(0, "x", discovered("/a", schema));

  EXPECT_EQ(openapi_document(one, "shop"), openapi_document(other, "shop"));
}

}  // namespace
}  // namespace flow::gateway
