// SPDX-License-Identifier: Apache-2.0
// What `flowctl post` reads and prints.
#include "flowctl/post/request_text.hpp"

#include <array>

#include "core/status.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::ctl {
namespace {

using testing::HasSubstr;

TEST(SplitEndpoint, CutsAfterTheAddress) {
  const std::vector<std::array<std::string, 3>> cases = {{
      {"grpc://h:1/index", "grpc://h:1", "/index"},
      {"h:1/a/b", "h:1", "/a/b"},
      {"h:1", "h:1", "/"},
      {"http://h/", "http://h", "/"},
      {"grpc://[::1]:2/x", "grpc://[::1]:2", "/x"},
      {"", "", "/"},
      {"/x", "", "/x"},
  }};
  for (const auto& [text, url, endpoint] : cases) {
    EXPECT_EQ(split_endpoint(text).url, url) << text;
    EXPECT_EQ(split_endpoint(text).endpoint, endpoint) << text;
  }
}

TEST(ReadRequest, ReadsWhatPostTakes) {
  const auto request = read_request(
      R"({"data":[{"id":"a","text":"x"}],"execEndpoint":"/index","targetExecutor":"enc",)"
      R"("parameters":{"k":[1,"y"]}})");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->endpoint, "/index");
  EXPECT_EQ(request->target_executor, "enc");
  ASSERT_EQ(request->documents.size(), 1U);
  EXPECT_EQ(request->documents[0].id, "a");
  EXPECT_EQ(request->documents[0].text(), "x");
  EXPECT_EQ(request->parameters.at("k").array()[1].text(), "y");
}

TEST(ReadRequest, ReadsAListOfDocuments) {
  const auto request = read_request(" \n[{\"text\":\"x\"},{\"embedding\":[1,2]}]\n");
  ASSERT_TRUE(request.ok()) << request.status();
  ASSERT_EQ(request->documents.size(), 2U);
  EXPECT_TRUE(request->documents[1].embedding.has_value());
  EXPECT_EQ(request->endpoint, "/");
}

TEST(ReadRequest, SaysWhatIsWrong) {
  for (const char* json :
       {"", "{", "[", "3", "\"x\"", "null", R"({"data":3})", R"([{"text":3}])", R"([1])", "[]]",
        "[],\"parameters\":{}", "{\"data\":[]}}", R"([{"tags":{"a":})", "\xff"}) {
    EXPECT_FALSE(read_request(json).ok()) << json;
  }
  EXPECT_THAT(std::string(core::message(read_request(R"({"data":[{"text":3}]})").status())),
              HasSubstr("data[0].text"));
}

TEST(ReadRequest, RefusesDepth) {
  std::string deep = "[{\"tags\":{\"a\":";
  deep += std::string(100'000, '[');
  EXPECT_FALSE(read_request(deep).ok());
}

TEST(ReadParameters, TakesAnObjectAndNothingElse) {
  EXPECT_EQ(read_parameters(R"({"a":1})")->at("a").number(), 1);
  for (const char* json : {"", "3", "[1]", "{", "{}}", "{},\"data\":[{}]"}) {
    EXPECT_FALSE(read_parameters(json).ok()) << json;
  }
}

TEST(ResponseJson, IsThatOfPost) {
  Response response;
  response.request_id = "7";
  response.documents = {Document::of_text("hello")};
  response.parameters = {{"k", 1}};
  response.routes = {
      {"gateway", std::chrono::system_clock::time_point(std::chrono::milliseconds(1500)), {}, {}},
      {"enc", {}, {}, core::error(absl::StatusCode::kUnknown, "boom")}};
  const auto json = response_json(response, "/index");
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_THAT(*json, HasSubstr(R"("requestId":"7")"));
  EXPECT_THAT(*json, HasSubstr(R"("execEndpoint":"/index")"));
  EXPECT_THAT(*json, HasSubstr(R"("parameters":{"k":1.0})"));
  EXPECT_THAT(*json, HasSubstr(R"("startTime":"1970-01-01T00:00:01.5)"));
  EXPECT_THAT(*json, HasSubstr(R"("description":"boom")"));
  EXPECT_THAT(*json, HasSubstr(R"("text":"hello")"));
}

TEST(ResponseJson, HasTheStatusOfAFailure) {
  Response response;
  response.status = core::error(absl::StatusCode::kUnavailable, "gone");
  const auto json = response_json(response, "/");
  ASSERT_TRUE(json.ok());
  EXPECT_THAT(*json, HasSubstr(R"("code":1,"description":"gone")"));
}

}  // namespace
}  // namespace flow::ctl
