// SPDX-License-Identifier: Apache-2.0
// Requests and answers as WebSocket messages.
#include "gateway/services/websocket_messages.hpp"

#include "core/status.hpp"
#include "gateway/services/error_answer.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "jina.pb.h"
#include "wire/grpc.hpp"

namespace flow::gateway {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::uint64_t kBytesMax = 1 << 20;

WebSocketMessage text(std::string payload) {
  return {.kind = WebSocketKind::Text, .payload = std::move(payload)};
}
WebSocketMessage binary(std::string payload) {
  return {.kind = WebSocketKind::Binary, .payload = std::move(payload)};
}

class WebSocketMessagesTest : public testing::Test {
 protected:
  absl::StatusOr<std::string> read(const WebSocketMessage& message) {
    return read_request(message, context_, kBytesMax);
  }
  std::string problem(std::string json) {
    return std::string(core::message(read(text(std::move(json))).status()));
  }
  jina::DataRequestProto parsed(std::string json) {
    const auto framed = read(text(std::move(json)));
    EXPECT_TRUE(framed.ok()) << framed.status();
    jina::DataRequestProto request;
    const bool good = framed.ok() && request.ParseFromString(std::string(wire::payload(*framed)));
    EXPECT_TRUE(good);
    return request;
  }

  const std::vector<std::string> executors_;
  RouteContext context_{.executors = executors_,
                        .serves = [](std::size_t, std::string_view) { return true; },
                        .new_request_id = [] { return std::string(32, 'f'); }};
  Verdict verdict_;
};

TEST_F(WebSocketMessagesTest, KnowTheLastOne) {
  for (const char* last : {"{}", " {} ", "{\n}\r\n", "\t{\t}"}) {
    EXPECT_TRUE(is_last(text(last))) << last;
  }
  EXPECT_TRUE(is_last(binary("\0"s)));
  for (const char* other : {"", "{", "}", "{}{}", "{} x", "[]", "{\"data\":[]}", "null"}) {
    EXPECT_FALSE(is_last(text(other))) << other;
  }
  EXPECT_FALSE(is_last(text("\0"s)));
  for (const std::string& other : {""s, "\1"s, "\0\0"s, "{}"s})
    EXPECT_FALSE(is_last(binary(other)));
}

TEST_F(WebSocketMessagesTest, LeaveABinaryRequestAsItIs) {
  for (const std::string& bytes : {""s, "\0\xff"s, "{}"s}) {
    EXPECT_EQ(wire::payload(read(binary(bytes)).value()), bytes);
  }
}

TEST_F(WebSocketMessagesTest, ReadJson) {
  const auto request = parsed(
      R"({"data":[{"text":"hi"}],"execEndpoint":"/foo","targetExecutor":"a","parameters":{"k":1}})");

  EXPECT_EQ(request.header().request_id(), std::string(32, 'f'));
  EXPECT_EQ(request.header().exec_endpoint(), "/foo");
  EXPECT_EQ(request.header().target_executor(), "a");
  EXPECT_EQ(request.parameters().fields().at("k").number_value(), 1);
  ASSERT_EQ(request.data().docs().docs_size(), 1);
  EXPECT_EQ(request.data().docs().docs(0).text(), "hi");
  EXPECT_EQ(request.data().docs().docs(0).id(), std::string(32, 'f'));
}

TEST_F(WebSocketMessagesTest, SayWhatIsWrongWithJsonAndWhere) {
  EXPECT_THAT(problem(""), HasSubstr("line 1, column 1"));
  EXPECT_THAT(problem("{\"data\":[}"), HasSubstr("line 1, column 10"));
  EXPECT_THAT(problem("[]"), HasSubstr("object"));
  EXPECT_THAT(problem(R"({"execEndpoint":"/foo"})"), HasSubstr("data"));
  EXPECT_THAT(problem(R"({"data":[{"text":1}]})"), HasSubstr("data[0].text"));
  EXPECT_FALSE(read(text(std::string(100'000, '['))).ok());
  EXPECT_FALSE(read(text("{\"data\":[" + std::string(100'000, '['))).ok());
}

TEST_F(WebSocketMessagesTest, WriteAnAnswerInTheFormOfItsRequest) {
  jina::DataRequestProto answer;
  answer.mutable_header()->set_request_id("id");
  answer.mutable_data()->mutable_docs()->add_docs()->set_text("hi");
  const std::string bytes = answer.SerializeAsString();

  const auto same = write_answer(WebSocketKind::Binary, wire::frame(bytes), kBytesMax, verdict_);
  EXPECT_EQ(same.kind, WebSocketKind::Binary);
  EXPECT_EQ(same.payload, bytes);
  const auto json = write_answer(WebSocketKind::Text, wire::frame(bytes), kBytesMax, verdict_);
  EXPECT_EQ(json.kind, WebSocketKind::Text);
  EXPECT_THAT(json.payload, StartsWith(R"({"header":{"request_id":"id")"));
  EXPECT_THAT(json.payload, HasSubstr(R"("text":"hi")"));
}

TEST_F(WebSocketMessagesTest, WriteAFailureInBothForms) {
  const std::string framed =
      error_answer("id", core::error(absl::StatusCode::kUnavailable, "no \"executor\""), verdict_);

  jina::DataRequestProto answer;
  ASSERT_TRUE(answer.ParseFromString(
      write_answer(WebSocketKind::Binary, framed, kBytesMax, verdict_).payload));
  EXPECT_EQ(answer.header().request_id(), "id");
  EXPECT_EQ(answer.header().status().code(), jina::StatusProto::ERROR);
  EXPECT_EQ(answer.header().status().exception().name(), "InternalNetworkError");
  EXPECT_THAT(write_answer(WebSocketKind::Text, framed, kBytesMax, verdict_).payload,
              HasSubstr(R"("status":{"code":1,"description":"no \"executor\"")"));
}

TEST_F(WebSocketMessagesTest, AnswerWithAnErrorWhatHasNoJson) {
  jina::DataRequestProto answer;
  answer.mutable_header()->set_request_id("id");
  answer.mutable_data()->set_docs_bytes("x");
  for (const auto& [bytes, bytes_max] :
       {std::pair{answer.SerializeAsString(), kBytesMax},
        std::pair{"\x0a\x04\x0a\x02id\x22\x02\xff\xff"s, kBytesMax}}) {
    const auto json = write_answer(WebSocketKind::Text, wire::frame(bytes), bytes_max, verdict_);
    EXPECT_THAT(json.payload, StartsWith(R"({"header":{"request_id":"id","status":{"code":1)"));
  }
}

TEST_F(WebSocketMessagesTest, AnswerWithAnErrorWhatWouldBeTooLong) {
  jina::DataRequestProto answer;
  answer.mutable_header()->set_request_id("id");
  for (int i = 0; i < 100; ++i) answer.mutable_data()->mutable_docs()->add_docs();

  const auto json =
      write_answer(WebSocketKind::Text, wire::frame(answer.SerializeAsString()), 1000, verdict_);
  EXPECT_THAT(json.payload, StartsWith(R"({"header":{"request_id":"id","status":{"code":1)"));
  EXPECT_LE(json.payload.size(), 1000u);
}

}  // namespace
}  // namespace flow::gateway
