// SPDX-License-Identifier: Apache-2.0
// What executors say that they serve.
#include "gateway/executors/endpoints.hpp"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::gateway {
namespace {

using testing::ElementsAre;

jina::EndpointsProto discovered(std::initializer_list<const char*> paths) {
  jina::EndpointsProto endpoints;
  for (const char* path : paths) endpoints.add_endpoints(path);
  return endpoints;
}

std::vector<std::string> executors_of(const Endpoints& endpoints, const std::string& path) {
  std::vector<std::string> names;
  for (const auto& offer : endpoints.all().at(path)) names.push_back(offer.executor);
  return names;
}

TEST(Endpoints, ServeWhatTheySayAndEverythingUntilTheySayIt) {
  Endpoints endpoints;
  EXPECT_TRUE(endpoints.serves(0, "/a"));
  endpoints.set(0, "x", discovered({"/a"}));
  endpoints.set(1, "y", discovered({"/default"}));
  endpoints.set(2, "z", discovered({}));

  EXPECT_TRUE(endpoints.serves(0, "/a"));
  EXPECT_FALSE(endpoints.serves(0, "/b"));
  EXPECT_TRUE(endpoints.serves(1, "/b"));
  EXPECT_TRUE(endpoints.serves(2, "/b"));
}

TEST(Endpoints, AreIdempotentIfTheirExecutorSaysSo) {
  jina::EndpointsProto said = discovered({"/a", "/b", "/default"});
  auto& schemas = *said.mutable_schemas()->mutable_fields();
  for (const char* path : {"/a", "/default"}) {
    (*schemas[path].mutable_struct_value()->mutable_fields())["idempotent"].set_bool_value(true);
  }
  Endpoints endpoints;
  EXPECT_FALSE(endpoints.idempotent(0, "/a"));
  endpoints.set(0, "x", said);

  EXPECT_TRUE(endpoints.idempotent(0, "/a"));
  EXPECT_FALSE(endpoints.idempotent(0, "/b"));
  EXPECT_FALSE(endpoints.idempotent(1, "/a"));
  EXPECT_EQ(endpoints.taken_by(0, "/b"), "/b");
  EXPECT_EQ(endpoints.taken_by(0, "/other"), "/default");

  endpoints.set(0, "x", discovered({"/a"}));
  EXPECT_FALSE(endpoints.idempotent(0, "/a")) << "a new version of it says otherwise";
}

TEST(Endpoints, AreListedInTheOrderOfTheGraphWhoeverSpeaksFirst) {
  Endpoints endpoints;
  endpoints.set(2, "c", discovered({"/a", "/c", "/a"}));
  endpoints.set(0, "a", discovered({"/a"}));

  EXPECT_THAT(executors_of(endpoints, "/a"), ElementsAre("a", "c"));
  EXPECT_THAT(executors_of(endpoints, "/c"), ElementsAre("c"));
}

TEST(Endpoints, AreReplacedByWhatIsSaidLater) {
  Endpoints endpoints;
  endpoints.set(0, "a", discovered({"/old", "/both"}));
  const std::uint64_t version = endpoints.version();
  endpoints.set(0, "a", discovered({"/new", "/both"}));

  EXPECT_NE(endpoints.version(), version);
  EXPECT_FALSE(endpoints.all().contains("/old"));
  EXPECT_TRUE(endpoints.all().contains("/new"));
  EXPECT_THAT(executors_of(endpoints, "/both"), ElementsAre("a"));
}

TEST(Endpoints, StreamIfAllThatServeThemDo) {
  jina::EndpointsProto streaming = discovered({"/a", "/b"});
  auto& schemas = *streaming.mutable_schemas()->mutable_fields();
  (*schemas["/a"].mutable_struct_value()->mutable_fields())["is_generator"].set_bool_value(true);
  (*schemas["/b"].mutable_struct_value()->mutable_fields())["is_generator"].set_bool_value(false);
  Endpoints endpoints;
  endpoints.set(0, "x", streaming);

  EXPECT_TRUE(streams(endpoints.all().at("/a")));
  EXPECT_FALSE(streams(endpoints.all().at("/b")));
  endpoints.set(1, "y", discovered({"/a"}));
  EXPECT_FALSE(streams(endpoints.all().at("/a")));
}

// {"input": {"name": "in of x"}, "output": ..., "parameters": {"model": null or {}}}
void describe(jina::EndpointsProto& endpoints, const std::string& path, const std::string& whose,
              bool takes_parameters) {
  auto& schema = *(*endpoints.mutable_schemas()->mutable_fields())[path].mutable_struct_value();
  const auto part = [&schema](const std::string& name) -> auto& {
    return *(*schema.mutable_fields())[name].mutable_struct_value()->mutable_fields();
  };
  part("input")["name"].set_string_value("in of " + whose);
  part("output")["name"].set_string_value("out of " + whose);
  part("parameters")["name"].set_string_value("parameters of " + whose);
  if (takes_parameters) {
    part("parameters")["model"].mutable_struct_value();
  } else {
    part("parameters")["model"].set_null_value({});
  }
}

std::string name_in(const google::protobuf::Struct& schema, const std::string& part) {
  return schema.fields().at(part).struct_value().fields().at("name").string_value();
}

TEST(Endpoints, TakeWhatTheFirstTakesAndGiveWhatTheLastGives) {
  Endpoints endpoints;
  for (const auto& [position, name] : {std::pair(0, "a"), std::pair(1, "b"), std::pair(2, "c")}) {
    jina::EndpointsProto each = discovered({"/x"});
    describe(each, "/x", name, position > 0);
    endpoints.set(static_cast<std::size_t>(position), name, each);
  }
  const google::protobuf::Struct schema = combined_schema(endpoints.all().at("/x"));

  EXPECT_EQ(name_in(schema, "input"), "in of a");
  EXPECT_EQ(name_in(schema, "output"), "out of c");
  EXPECT_EQ(name_in(schema, "parameters"), "parameters of b");
  EXPECT_FALSE(schema.fields().at("is_generator").bool_value());
}

TEST(Endpoints, OfExecutorsThatSayNothingHaveNoSchema) {
  Endpoints endpoints;
  endpoints.set(0, "a", discovered({"/x"}));
  endpoints.set(1, "b", discovered({"/x"}));
  EXPECT_TRUE(combined_schema(endpoints.all().at("/x")).fields().empty());
}

}  // namespace
}  // namespace flow::gateway
