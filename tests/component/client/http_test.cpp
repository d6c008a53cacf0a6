// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <atomic>

#include "core/status.hpp"
#include "flow/client.hpp"
#include "jina.pb.h"
#include "tests/component/client/fake_server.hpp"
#include "wire/grpc.hpp"
#include "wire/json_problem.hpp"
#include "wire/json_reader.hpp"
#include "wire/json_writer.hpp"

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

// ---- data ---------------------------------------------------------------------------------------

// What the gateway does with POST /post, with an answer of a test's making.
FakeServer::Serve post_server(std::function<void(jina::DataRequestProto&)> process) {
  return http_server([process = std::move(process)](const HttpRequest& request) {
    EXPECT_EQ(request.target(), "/post");
    EXPECT_EQ(request.method(), http::verb::post);
    EXPECT_EQ(request[http::field::content_type], "application/json");
    wire::JsonRequestOptions options;
    options.request_id = "ffffffffffffffffffffffffffffffff";
    options.new_document_id = [] { return std::string("made"); };
    std::string framed;
    const auto problem = wire::read_data_request(request.body(), options, framed);
    EXPECT_FALSE(problem) << wire::describe(*problem);
    jina::DataRequestProto message;
    EXPECT_TRUE(message.ParseFromString(std::string(wire::payload(framed))));
    process(message);
    std::string body;
    EXPECT_TRUE(
        wire::write_data_response(message.SerializeAsString(), wire::JsonStyle::Http, body).ok());
    return json(200, body);
  });
}

TEST(HttpClient, PostsDocumentsAsJson) {
  const FakeServer server(post_server([](jina::DataRequestProto& message) {
    EXPECT_EQ(message.header().exec_endpoint(), "/search");
    EXPECT_EQ(message.header().target_executor(), "enc");
    EXPECT_EQ(message.parameters().fields().at("top_k").number_value(), 3);
    for (auto& each : *message.mutable_data()->mutable_docs()->mutable_docs()) {
      each.set_text(each.text() + "!");
    }
  }));
  std::vector<Document> documents;
  for (int i = 0; i < 5; ++i) {
    documents.push_back(Document::of_text("ünï " + std::to_string(i)));
    documents.back().tags = {{"i", i}, {"list", Json::Array{true, nullptr, "x"}}};
    documents.back().embedding = NdArray{1, 2.5};
  }
  Client client(server.url("http"));
  const auto answer = client.post("/search", documents, {{"top_k", 3}},
                                  {.request_size = 2, .target_executor = "enc"});
  ASSERT_TRUE(answer.ok()) << answer.status();
  ASSERT_EQ(answer->size(), 5u);
  for (std::size_t i = 0; i < 5; ++i) {
    const Document& each = (*answer)[i];
    EXPECT_EQ(each.text(), "ünï " + std::to_string(i) + "!");
    EXPECT_EQ(each.id.size(), 32u);
    EXPECT_EQ(each.tags, documents[i].tags);
    EXPECT_THAT(*each.embedding->to_floats(), ElementsAre(1, 2.5));
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, MakesAFailedExecutorAnError) {
  const FakeServer server(post_server([](jina::DataRequestProto& message) {
    auto& status = *message.mutable_header()->mutable_status();
    status.set_code(jina::StatusProto::ERROR);
    status.set_description("ValueError('boom')");
    status.mutable_exception()->set_executor("Boom");
  }));
  Client client(server.url("http"));
  EXPECT_EQ(client.post("/", {Document()}).status(),
            absl::UnknownError(client.url() + ": executor \"Boom\": ValueError('boom')"));
}

TEST(HttpClient, MapsTheStatusCodesOfAPost) {
  const std::pair<unsigned, absl::StatusCode> cases[] = {
      {422, absl::StatusCode::kInvalidArgument},
      {429, absl::StatusCode::kResourceExhausted},
      {503, absl::StatusCode::kUnavailable},
      {504, absl::StatusCode::kDeadlineExceeded}};
  for (const auto& [status, code] : cases) {
    const FakeServer server(http_server([status = status](const HttpRequest&) {
      return json(status, R"({"header":{"status":{"code":1,"description":"down"}}})");
    }));
    const auto answer = Client(server.url("http")).post("/", {Document()});
    EXPECT_EQ(answer.status().code(), code);
    EXPECT_THAT(std::string(core::message(answer.status())), HasSubstr("down"));
  }
}

TEST(HttpClient, SendsAgainWhatWasUnavailable) {
  std::atomic<int> requests = 0;
  const FakeServer server(http_server([&](const HttpRequest&) {
    return ++requests < 3 ? json(503, R"({"detail":"starting"})") : json(200, R"({"data":[]})");
  }));
  Client client(server.url("http"), {.retry = {.attempts = 3, .first_wait = 1ms}});
  EXPECT_TRUE(client.post("/", {Document()}).ok());
  EXPECT_EQ(requests, 3);
}

TEST(HttpClient, RefusesAnswersThatAreNone) {
  for (const char* body : {"", "[]", "{\"data\":", R"({"data":"x"})", R"({"data":[{"text":1}]})"}) {
    const FakeServer server(http_server([body](const HttpRequest&) { return json(200, body); }));
    const auto answer = Client(server.url("http")).post("/", {Document()});
    EXPECT_EQ(answer.status().code(), absl::StatusCode::kInternal) << body;
  }
}

TEST(HttpClient, GivesUpOnAnAnswerThatDoesNotCome) {
  const FakeServer server(silence());
  const auto answer =
      Client(server.url("http")).post("/", {Document()}, {}, {.request_timeout = 50ms});
  EXPECT_TRUE(absl::IsDeadlineExceeded(answer.status())) << answer.status();
}

TEST(HttpClient, StreamsTheDocumentsThatAnswerOne) {
  const std::string events =
      "event: update\ndata: {\"id\":\"1\",\"text\":\"a\"}\n\n"
      "event: update\ndata: {\"id\":\"2\",\"text\":\"b\"}\n\n"
      "event: end\ndata: \n\n";
  const FakeServer server(raw_answer(
      "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + events, Afterwards::Wait));
  Client client(server.url("http"));
  std::vector<std::string> texts;
  for (const auto& each : client.stream_doc("/generate", Document::of_text("x"))) {
    ASSERT_TRUE(each.ok()) << each.status();
    texts.emplace_back(each->text());
  }
  EXPECT_THAT(texts, ElementsAre("a", "b"));
}

TEST(HttpClient, EndsThatStreamWithAnEventThatIsNoDocument) {
  const FakeServer server(
      raw_answer("HTTP/1.1 200 OK\r\n\r\nevent: update\ndata: nonsense\n\n", Afterwards::Wait));
  DocumentStream documents = Client(server.url("http")).stream_doc("/generate", Document());
  EXPECT_EQ(documents.next()->status().code(), absl::StatusCode::kInternal);
  EXPECT_FALSE(documents.next());
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
