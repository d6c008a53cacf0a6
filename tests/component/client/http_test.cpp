// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "core/status.hpp"
#include "flow/client.hpp"
#include "tests/component/client/fake_server.hpp"

namespace flow {
namespace {

using namespace std::chrono_literals;
using namespace flow::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kPatience = 20s;

CheckResult ready(FakeServer::Serve serve, Duration timeout = kPatience) {
  const FakeServer server(std::move(serve));
  return Client(server.url("http")).ready(timeout);
}

CheckResult ready_by(unsigned status, std::string body) {
  return ready(http_server([&](const HttpRequest& request) {
    EXPECT_EQ(request.target(), "/dry_run");
    return json(status, body);
  }));
}

TEST(HttpClient, IsReadyByTheReferencesAnswer) {
  EXPECT_TRUE(ready_by(200, R"({"code":0,"description":"","exception":null})").ready);
}

TEST(HttpClient, TellsWhyTheFlowIsNotReadyWhateverTheStatusCode) {
  const std::string body =
      R"({"code":1,"description":"executor0 may be down","exception":{"name":"InternalNetworkError",)"
      R"("args":["x"],"stacks":["a\n","b\n"],"executor":"encoder"}})";
  for (const unsigned status : {200u, 503u}) {
    const CheckResult result = ready_by(status, body);
    EXPECT_FALSE(result.ready);
    EXPECT_TRUE(result.status.ok()) << result.status;
    EXPECT_EQ(result.description, "executor0 may be down");
    EXPECT_EQ(result.exception, "InternalNetworkError");
    EXPECT_EQ(result.executor, "encoder");
    EXPECT_THAT(result.stacks, ElementsAre("a\n", "b\n"));
  }
}

TEST(HttpClient, DoesNotTakeAnyAnswerForReady) {
  for (const char* body :
       {"", "{}", "[]", "null", "true", "{\"code\":", R"({"ready":true})", R"({"code":"x"})",
        R"({"code":null})", "<html>hello</html>", "\xff\xff"}) {
    const CheckResult result = ready_by(200, body);
    EXPECT_FALSE(result.ready) << body;
    EXPECT_EQ(result.status.code(), absl::StatusCode::kInternal) << body;
  }
}

TEST(HttpClient, MapsStatusCodes) {
  const std::pair<unsigned, absl::StatusCode> cases[] = {
      {400, absl::StatusCode::kInvalidArgument},  {404, absl::StatusCode::kNotFound},
      {422, absl::StatusCode::kInvalidArgument},  {429, absl::StatusCode::kResourceExhausted},
      {500, absl::StatusCode::kInternal},         {503, absl::StatusCode::kUnavailable},
      {504, absl::StatusCode::kDeadlineExceeded}, {301, absl::StatusCode::kUnknown}};
  for (const auto& [status, code] : cases) {
    const CheckResult result = ready_by(status, R"({"detail":"because"})");
    EXPECT_EQ(result.status.code(), code);
    EXPECT_THAT(result.reason(), HasSubstr("HTTP " + std::to_string(status) + ": because"));
  }
}

TEST(HttpClient, QuotesTheReasonWhereverTheServerPutsIt) {
  const std::pair<std::string, std::string> cases[] = {
      {R"({"header":{"status":{"description":"down"}}})", "503: down"},
      {R"({"detail":[{"loc":["body",9],"msg":"Expecting value"}]})", "503: Expecting value"},
      {R"({"reason":"starting"})", "503: starting"},
      {"upstream said no", "503: \"upstream said no\""},
      {"", "503: no more was said"},
      {"[1,2]", "503: \"[1,2]\""}};
  for (const auto& [body, expected] : cases) {
    EXPECT_THAT(ready_by(503, body).reason(), HasSubstr(expected));
  }
}

TEST(HttpClient, AsksForADeepDryRun) {
  const FakeServer server(http_server([](const HttpRequest& request) {
    EXPECT_EQ(request.target(), "/dry_run?deep=1");
    return json(200, R"({"code":0,"description":"","exception":null})");
  }));
  EXPECT_TRUE(Client(server.url("http")).ready(kPatience, DryRun::Deep).ready);
}

TEST(HttpClient, ChecksTheServerItself) {
  const FakeServer server(http_server([](const HttpRequest& request) {
    return request.target() == "/" ? json(200, "{}") : json(503, "{}");
  }));
  Client client(server.url("http"));
  EXPECT_TRUE(client.health({}, kPatience).ready);
  EXPECT_EQ(client.health("encoder", kPatience).status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_FALSE(client.ready(kPatience).ready);
}

TEST(HttpClient, KeepsItsConnection) {
  const FakeServer server(http_server([](const HttpRequest&) { return json(200, "{}"); }));
  Client client(server.url("http"));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(client.health({}, kPatience).ready);
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, ConnectsAgainWhenAKeptConnectionWasClosed) {
  const FakeServer server([](tcp::socket& socket) {
    beast::flat_buffer buffer;
    HttpRequest request;
    http::read(socket, buffer, request);
    http::write(socket, json(200, "{}"));  // promises to go on, and hangs up
  });
  Client client(server.url("http"));
  // The end travels apart from the answer: a check may meet it, the one after it must not.
  int failures = 0;
  for (int i = 0; i < 10; ++i) failures += client.health({}, kPatience).ready ? 0 : 1;
  EXPECT_LE(failures, 5);
  EXPECT_GE(server.connections(), 5);
}

TEST(HttpClient, ConnectsAgainWhenTheServerSaysThatItCloses) {
  const FakeServer server(http_server([](const HttpRequest&) {
    HttpResponse response = json(200, "{}");
    response.keep_alive(false);
    return response;
  }));
  Client client(server.url("http"));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(client.health({}, kPatience).ready);
  EXPECT_EQ(server.connections(), 3);
}

TEST(HttpClient, IsNotReadyByHalfAnAnswer) {
  const std::string half = "HTTP/1.1 200 OK\r\ncontent-length: 44\r\n\r\n{\"code\":0,";
  const CheckResult closed = ready(raw_answer(half, Afterwards::HangUp));
  EXPECT_TRUE(absl::IsUnavailable(closed.status)) << closed.status;
  EXPECT_THAT(closed.reason(), HasSubstr("before its answer was complete"));

  const CheckResult stuck = ready(raw_answer(half, Afterwards::Wait), 50ms);
  EXPECT_TRUE(absl::IsDeadlineExceeded(stuck.status)) << stuck.status;
}

TEST(HttpClient, IsNotReadyByWhatIsNoHttp) {
  for (const std::string bytes :
       {"hello\r\n\r\n", "HTTP/9.9 200 OK\r\n\r\n", "HTTP/1.1 banana\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"}) {
    const CheckResult result = ready(raw_answer(bytes, Afterwards::HangUp));
    EXPECT_FALSE(result.ready);
    EXPECT_EQ(result.status.code(), absl::StatusCode::kInternal) << bytes << result.status;
  }
}

TEST(HttpClient, BoundsWhatItReads) {
  const FakeServer endless(
      raw_answer("HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\n", Afterwards::Wait));
  const CheckResult result = Client(endless.url("http"), {.max_message = 1000}).ready(kPatience);
  EXPECT_EQ(result.status.code(), absl::StatusCode::kResourceExhausted) << result.status;

  const FakeServer talkative(raw_answer(
      "HTTP/1.1 200 OK\r\nx: " + std::string(100'000, 'x') + "\r\n\r\n", Afterwards::Wait));
  EXPECT_FALSE(Client(talkative.url("http")).is_flow_ready(kPatience));
}

TEST(HttpClient, DiscoversEndpointsInTheOpenApiDescription) {
  const FakeServer server(http_server([](const HttpRequest& request) {
    EXPECT_EQ(request.target(), "/openapi.json");
    return json(200, R"({"paths":{"/search":{"post":{}},"/post":{"post":{}},"/delete":{"delete":{}},
                         "/dry_run":{"get":{}}}})");
  }));
  EXPECT_THAT(*Client(server.url("http")).discover(kPatience), ElementsAre("/delete", "/search"));
}

TEST(HttpClient, RefusesToPutIntoAQueryWhatDoesNotFit) {
  Client client("http://127.0.0.1:1");
  Document document;
  document.tags = {{"a", 1}};
  const auto first = client.stream_doc("/generate", document).next();
  ASSERT_TRUE(first);
  EXPECT_THAT(std::string(core::message(first->status())), HasSubstr("travels in the query"));
  for (const char* endpoint : {"/a b", "/a?b=c", "/a\r\nx: y"}) {
    const auto next = client.stream_doc(endpoint, Document()).next();
    EXPECT_EQ(next->status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST(HttpClient, TellsWhyAStreamOfEventsWasRefused) {
  const FakeServer server(http_server([](const HttpRequest& request) {
    EXPECT_EQ(request.target().substr(0, 12), "/generate?id");
    EXPECT_THAT(std::string(request.target()), HasSubstr("&text=hello%20%26%20bye"));
    EXPECT_EQ(request[http::field::accept], "text/event-stream");
    return json(404, R"({"detail":"Not Found"})");
  }));
  DocumentStream documents =
      Client(server.url("http")).stream_doc("/generate", Document::of_text("hello & bye"));
  EXPECT_EQ(documents.next()->status(),
            absl::NotFoundError(server.url("http") + ": HTTP 404: Not Found"));
  EXPECT_FALSE(documents.next());
}

TEST(HttpClient, SaysWhenAStreamOfEventsBreaksOff) {
  const FakeServer server(raw_answer(
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", Afterwards::HangUp));
  DocumentStream documents = Client(server.url("http")).stream_doc("/generate", Document());
  EXPECT_THAT(std::string(core::message(documents.next()->status())), HasSubstr("event: end"));
}

}  // namespace
}  // namespace flow
