// SPDX-License-Identifier: Apache-2.0
// Server-sent events. No executor is reached here: a document for an endpoint that nobody serves
// comes back as the only one.
#include "gateway/services/http_events.hpp"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/gateway/empty_flow.hpp"
#include "tests/unit/gateway/fake_exchange.hpp"

namespace flow::gateway {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

using Headers = std::vector<std::pair<std::string_view, std::string_view>>;

class EventsTest : public testing::Test {
 protected:
  HttpResponse ask(std::string_view query, std::string body = "", const Headers& headers = {}) {
    HeaderFields fields;
    for (const auto& [name, value] : headers) fields.add(name, value);
    FakeExchange exchange;
    const auto handler = open_event_stream(flow_.context, "/count", query,
                                           {"GET", "/count", fields, std::move(body)}, exchange);
    EXPECT_EQ(exchange.answers, 1) << query;
    ended_ = exchange.ended;
    return std::move(exchange.answer);
  }

  EmptyFlow flow_;
  bool ended_ = false;
};

TEST_F(EventsTest, AreDocumentsAndThenAnEnd) {
  const HttpResponse answer = ask("text=hello&id=d1");

  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.content_type, "text/event-stream; charset=utf-8");
  EXPECT_EQ(header_of(answer, "cache-control"), "no-cache");
  EXPECT_THAT(answer.body, StartsWith("event: update\r\ndata: {\"id\":\"d1\","));
  EXPECT_THAT(answer.body, HasSubstr(R"("text":"hello")"));
  EXPECT_THAT(answer.body, EndsWith("}\r\n\r\nevent: end\r\ndata: \r\n\r\n"));
  EXPECT_TRUE(ended_);
}

TEST_F(EventsTest, TakeADocumentFromTheQueryOrTheBody) {
  EXPECT_THAT(ask("text=a+b%20c%26d%3d%22&id=%C3%A4").body, HasSubstr(R"("text":"a b c&d=\"")"));
  EXPECT_THAT(ask("&&text=x&=y&nonsense=z&text").body, HasSubstr(R"("text":"")"));
  EXPECT_THAT(ask("").body, HasSubstr("event: update"));
  EXPECT_THAT(ask("parameters=%7B%22n%22:3%7D").body, HasSubstr("event: update"));
  EXPECT_THAT(ask("", R"({"id":"d1","tags":{"a":1}})").body, HasSubstr(R"("tags":{"a":1.0})"));
}

TEST_F(EventsTest, HaveNoLineBreaksInTheirData) {
  const HttpResponse answer = ask("text=a%0D%0A%0D%0Aevent:+end");
  EXPECT_THAT(answer.body, HasSubstr(R"("text":"a\r\n\r\nevent: end")"));
}

TEST_F(EventsTest, RefuseWhatIsNoDocumentAndSayWhere) {
  for (const char* body : {"{", "[]", "7", R"({"id":"a"},{"id":"b"})", R"({"id":"a"}],"x":[{})",
                           R"({"text":7})", "{}}", "nul"}) {
    const HttpResponse answer = ask("", body);
    EXPECT_EQ(answer.status, 422) << body;
    EXPECT_THAT(answer.body, StartsWith(R"({"detail":[{"loc":["body")")) << body;
    EXPECT_THAT(answer.body, Not(HasSubstr("\"data\""))) << body;
  }
  EXPECT_THAT(ask("", R"({"text":7})").body, HasSubstr(R"("loc":["body","text"])"));
  EXPECT_EQ(ask("parameters=7").status, 422);
  EXPECT_EQ(ask("parameters={").status, 422);
  EXPECT_EQ(ask("parameters={}}").status, 422);
  EXPECT_EQ(ask("parameters={},%22data%22:[]").status, 422);
  EXPECT_EQ(ask("blob=*").status, 422);
}

TEST_F(EventsTest, RefuseABodyThatIsNoJsonButNeedNoneOfIt) {
  EXPECT_EQ(ask("", "{}", {{"content-type", "text/html"}}).status, 415);
  EXPECT_EQ(ask("text=x", "", {{"content-type", "text/html"}}).status, 200);
  EXPECT_EQ(ask("", "", {{"grpc-timeout", "soon"}}).status, 400);
}

TEST_F(EventsTest, AreNotBegunForARequestThatFails) {
  EmptyFlow full;
  std::vector<Admission::Place> places;
  while (auto place = full.context.admission.take(Admission::Kind::Call)) {
    places.push_back(std::move(place));
  }
  const HeaderFields none;
  FakeExchange exchange;
  const auto handler =
      open_event_stream(full.context, "/count", "text=x", {"GET", "/count", none, ""}, exchange);

  EXPECT_EQ(exchange.answer.status, 429);
  EXPECT_EQ(header_of(exchange.answer, "retry-after"), "1");
  EXPECT_EQ(exchange.answer.content_type, "application/json");
  EXPECT_THAT(exchange.answer.body, HasSubstr(R"("status":{"code":1,"description":")"));
}

}  // namespace
}  // namespace flow::gateway
