// SPDX-License-Identifier: Apache-2.0
// What the gateway answers over HTTP, by path, method and readiness. No executor is reached here:
// requests are either for an endpoint that nobody serves, which come back as they are, or fail.
#include "gateway/services/http_routes.hpp"

#include "gateway/services/docs_assets.hpp"
#include "gateway/services/http_cors.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/gateway/fake_exchange.hpp"

namespace flow::gateway {
namespace {

using core::ReplicaState;
using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

using Headers = std::vector<std::pair<std::string_view, std::string_view>>;

FlowView flow_in(ReplicaState state) {
  return {{{"a", {{"a/rep-0", "0.0.0.0:1", {state, {}, "because", 7}}}}}};
}

core::FlowConfig config_of(std::string_view gateway) {
  const auto config =
      core::parse_config("name = \"shop\"\n[gateway]\n" + std::string(gateway) +
                             "\n[[executors]]\nname = \"a\"\nuses = \"echo\"\nport = 1\n",
                         "/flow.toml", core::process_environment());
  EXPECT_TRUE(config.ok()) << config.status();
  return *config;
}

class RoutesTest : public testing::Test {
 protected:
  explicit RoutesTest(std::string_view gateway = "") : config_(config_of(gateway)) {
    jina::EndpointsProto discovered;
    for (const char* path :
         {"/foo", "/default", "/delete", "/post", "_jina_dry_run_", "/_hidden"}) {
      discovered.add_endpoints(path);
    }
    endpoints_.set(0, "a", discovered);
  }

  // What is asked for is served, by an executor that is not coming back: nobody waits for it.
  void give_up() {
    served_ = true;
    flow::v1::ReplicaUpdate failed;
    failed.set_executor("a");
    failed.set_state(flow::v1::FAILED);
    failed.set_reason("because");
    executors_.update(failed);
  }
  HttpResponse ask(std::string_view method, std::string_view target, std::string body = "",
                   const Headers& headers = {}) {
    HeaderFields fields;
    for (const auto& [name, value] : headers) fields.add(name, value);
    FakeExchange exchange;
    const auto handler = front().open({method, target, fields, std::move(body)}, exchange);
    EXPECT_EQ(exchange.answers, 1) << method << " " << target;
    return std::move(exchange.answer);
  }
  HttpResponse get(std::string_view target) { return ask("GET", target); }
  HttpResponse post(std::string_view target, std::string body, const Headers& headers = {}) {
    return ask("POST", target, std::move(body), headers);
  }
  virtual HttpRoutes& front() { return routes_; }

  Loop loop_;
  core::FlowConfig config_;
  Executors executors_{loop_, core::make_logger("test", {.level = "off"}), config_, [] {}};
  Readiness readiness_{flow_in(ReplicaState::Ready)};
  bool served_ = false;  // does the executor serve what is asked for?
  ServiceContext context_{
      loop_,
      config_,
      executors_,
      readiness_,
      {executors_.names(), [this](std::size_t, std::string_view) { return served_; },
       [] { return std::string(32, 'f'); }}};
  DeepDryRun deep_dry_run_{context_};
  Endpoints endpoints_;
  Routes routes_{context_, endpoints_, deep_dry_run_};
};

// ---- probes -------------------------------------------------------------------------------------

TEST_F(RoutesTest, RootIsAliveAndEmpty) {
  EXPECT_EQ(get("/").status, 200);
  EXPECT_EQ(get("/").body, "{}");
}

TEST_F(RoutesTest, DryRunOfAReadyFlowIsTheReferencesAnswer) {
  EXPECT_EQ(get("/dry_run").status, 200);
  EXPECT_EQ(get("/dry_run").body, R"({"code":0,"description":"","exception":null})");
}

TEST_F(RoutesTest, DryRunOfAFlowThatIsNotReadyIs503SoThatProbesByStatusWork) {
  readiness_.publish(flow_in(ReplicaState::Failed));

  EXPECT_EQ(get("/dry_run").status, 503);
  EXPECT_THAT(get("/dry_run").body, StartsWith(R"({"code":1,)"));
}

TEST_F(RoutesTest, DryRunCanBeToldToAnswer200AsTheReferenceDoes) {
  config_.gateway.http_dry_run_status = 200;
  readiness_.publish(flow_in(ReplicaState::Failed));

  EXPECT_EQ(get("/dry_run").status, 200);
  EXPECT_THAT(get("/dry_run").body, StartsWith(R"({"code":1,)"));
}

TEST_F(RoutesTest, LivezDoesNotDependOnExecutors) {
  readiness_.publish(flow_in(ReplicaState::Failed));

  EXPECT_EQ(get("/livez").status, 200);
}

TEST_F(RoutesTest, ReadyzIsSmallAndVerboseOnRequest) {
  readiness_.publish(flow_in(ReplicaState::Hung));

  EXPECT_EQ(get("/readyz").status, 503);
  EXPECT_EQ(get("/readyz").body, R"({"ready":false,"reason":"a/rep-0 is HUNG: because"})");
  EXPECT_THAT(get("/readyz?verbose").body, HasSubstr(R"("state":"HUNG")"));
  EXPECT_THAT(get("/readyz?x=1&verbose=1").body, HasSubstr(R"("state":"HUNG")"));
  EXPECT_EQ(get("/readyz?verbose=0").body, get("/readyz").body);
  EXPECT_EQ(get("/readyz?verbosely").body, get("/readyz").body);
}

TEST_F(RoutesTest, ExecutorsIsTheReportWhetherReadyOrNot) {
  EXPECT_THAT(get("/executors").body, StartsWith(R"({"time":")"));
  EXPECT_THAT(get("/executors").body, HasSubstr(R"("ready":true,"reason":"","executors":[{)"));
  EXPECT_THAT(get("/executors").body, HasSubstr(R"({"name":"a/rep-0","state":"STARTING",)"));
  EXPECT_THAT(get("/executors").body, HasSubstr(R"("calls":0,"failures":0,)"));
  readiness_.publish(flow_in(ReplicaState::Failed));
  EXPECT_EQ(get("/executors").status, 200);
  EXPECT_EQ(ask("POST", "/executors").status, 405);
}

TEST_F(RoutesTest, StatusTellsVersions) {
  EXPECT_EQ(get("/status").status, 200);
  EXPECT_THAT(get("/status").body, HasSubstr(R"("flow-host":")"));
  EXPECT_THAT(get("/status").body, HasSubstr(R"("envs":{)"));
}

TEST_F(RoutesTest, UnknownPathsAre404InTheReferencesWords) {
  for (const std::string_view path : {"/nope", "/dry_run/", "", "*", "/_status", "/_hidden",
                                      "_jina_dry_run_", "/foo/", "?", "/docs/../post", "//"}) {
    EXPECT_EQ(get(path).status, 404) << path;
    EXPECT_EQ(post(path, "{}").body, R"({"detail":"Not Found"})") << path;
  }
}

TEST_F(RoutesTest, OtherMethodsAre405AndToldWhatIsAllowed) {
  for (const std::string_view method : {"HEAD", "POST", "OPTIONS", "BREW"}) {
    const HttpResponse response = ask(method, "/dry_run");
    EXPECT_EQ(response.status, 405) << method;
    EXPECT_EQ(response.body, R"({"detail":"Method Not Allowed"})");
    EXPECT_EQ(header_of(response, "allow"), "GET");
  }
  EXPECT_EQ(ask("HEAD", "/readyz").status, 200);
  EXPECT_EQ(header_of(ask("GET", "/post"), "allow"), "POST");
  EXPECT_EQ(header_of(ask("GET", "/foo"), "allow"), "POST");
  EXPECT_EQ(header_of(ask("POST", "/update"), "allow"), "PUT");
  EXPECT_EQ(header_of(ask("GET", "/delete"), "allow"), "DELETE, POST");
}

// ---- data ---------------------------------------------------------------------------------------

TEST_F(RoutesTest, ARequestComesBackWithItsRoutes) {
  const HttpResponse response =
      post("/post", R"({"data":[{"id":"d1","text":"hi"}],"execEndpoint":"/x"})");

  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_THAT(
      response.body,
      StartsWith(R"({"header":{"requestId":"ffffffffffffffffffffffffffffffff","status":null,)"
                 R"("execEndpoint":"/x","targetExecutor":""},"parameters":{},"routes":[)"
                 R"({"executor":"gateway","startTime":"2)"));
  EXPECT_THAT(response.body, HasSubstr(R"({"executor":"a",)"));
  EXPECT_THAT(response.body, HasSubstr(R"("data":[{"id":"d1","parent_id":null,)"));
}

TEST_F(RoutesTest, PathsOfEndpointsGoToTheirEndpointWhateverTheRequestSays) {
  const std::string body = R"({"execEndpoint":"/other"})";
  for (const auto& [method, path] :
       std::vector<std::pair<std::string_view, std::string>>{{"POST", "/foo"},
                                                             {"POST", "/index"},
                                                             {"POST", "/search"},
                                                             {"DELETE", "/delete"},
                                                             {"POST", "/delete"},
                                                             {"PUT", "/update"}}) {
    const HttpResponse response = ask(method, path, body);
    EXPECT_EQ(response.status, 200) << path;
    EXPECT_THAT(response.body, HasSubstr(R"("execEndpoint":")" + path + '"'));
  }
}

TEST_F(RoutesTest, PostAndDefaultGoToTheEndpointThatTheRequestNames) {
  EXPECT_THAT(post("/post", "{}").body, HasSubstr(R"("execEndpoint":"/")"));
  EXPECT_THAT(post("/default", "{}").body, HasSubstr(R"("execEndpoint":"/default")"));
  for (const char* path : {"/post", "/default"}) {
    EXPECT_THAT(post(path, R"({"execEndpoint":"/x"})").body, HasSubstr(R"("execEndpoint":"/x")"));
    EXPECT_THAT(post(path, R"({"exec_endpoint":"/x"})").body, HasSubstr(R"("execEndpoint":"/x")"));
  }
}

TEST_F(RoutesTest, AnEndpointHasAPathFromWhenItIsKnown) {
  EXPECT_EQ(post("/new", "{}").status, 404);
  jina::EndpointsProto discovered;
  discovered.add_endpoints("/new");
  endpoints_.set(0, "a", discovered);

  EXPECT_EQ(post("/new", "{}").status, 200);
  EXPECT_EQ(post("/foo", "{}").status, 404);
}

TEST_F(RoutesTest, JsonThatIsWrongIs422WithItsPlace) {
  const HttpResponse truncated = post("/post", R"({"data":[)");
  EXPECT_EQ(truncated.status, 422);
  EXPECT_EQ(truncated.body,
            R"j({"detail":[{"loc":["body",9],"msg":"Expecting value: line 1 column 10 (char 9)",)j"
            R"("type":"value_error.jsondecode","ctx":{"msg":"Expecting value","doc":"{\"data\":[",)"
            R"("pos":9,"lineno":1,"colno":10}}]})");
  for (const char* json : {"", "[]", "7", R"({"data":7})", R"({"data":[{"text":7}]})",
                           R"({"data":[{"tensor":"x"}]})", R"({"parameters":[]})", "\xff"}) {
    const HttpResponse response = post("/post", json);
    EXPECT_EQ(response.status, 422) << json;
    EXPECT_THAT(response.body, StartsWith(R"({"detail":[{"loc":["body")")) << json;
  }
}

TEST_F(RoutesTest, ATargetThatIsNoPatternIs400) {
  const HttpResponse response = post("/post", R"({"targetExecutor":"a["})");
  EXPECT_EQ(response.status, 400);
  EXPECT_THAT(response.body, HasSubstr(R"(target_executor \"a[\" is not a regular expression)"));
}

TEST_F(RoutesTest, AnExecutorThatIsNotThereIs503WithTheRequestsDocuments) {
  give_up();
  readiness_.publish(flow_in(ReplicaState::Failed));
  const HttpResponse response = post("/post", R"({"data":[{"id":"d1"}],"parameters":{"a":1}})");

  EXPECT_EQ(response.status, 503);
  EXPECT_THAT(
      response.body,
      StartsWith(
          R"({"header":{"requestId":"ffffffffffffffffffffffffffffffff","status":)"
          R"({"code":1,"description":"failed to connect to all addresses; last )"
          R"(error: a/rep-0 is FAILED: because |Gateway: Communication error with deployment a at address(es) )"));
  EXPECT_THAT(response.body,
              HasSubstr(R"("exception":{"name":"InternalNetworkError","args":["failed)"));
  EXPECT_THAT(response.body, HasSubstr(R"("stacks":["a/rep-0 at )"));
  EXPECT_THAT(response.body, HasSubstr(R"("parameters":null,"routes":null,"data":[{"id":"d1",)"));
}

TEST_F(RoutesTest, ADeepDryRunIsAnsweredInTheFormOfAnyOther) {
  EXPECT_EQ(get("/dry_run?deep=1").status, 200);
  EXPECT_EQ(get("/dry_run?deep=1").body, get("/dry_run").body);

  served_ = true;
  EXPECT_EQ(get("/dry_run?deep").status, 503);
  EXPECT_THAT(get("/dry_run?deep").body, StartsWith(R"({"code":1,"description":"failed)"));
  EXPECT_EQ(get("/dry_run?deep=0").status, 200);
  EXPECT_EQ(post("/dry_run?deep=1", "").status, 405);
}

class OneAtATimeTest : public RoutesTest {
 protected:
  OneAtATimeTest() : RoutesTest("max_in_flight = 1") {}
};

TEST_F(OneAtATimeTest, TooManyRequestsAre429AndToldWhenToComeBack) {
  const Admission::Place other = context_.admission.take(Admission::Kind::Call);
  const HttpResponse response = post("/post", R"({"data":[{"id":"d1"}]})");

  EXPECT_EQ(response.status, 429);
  EXPECT_EQ(header_of(response, "retry-after"), "1");
  EXPECT_THAT(response.body, HasSubstr(R"("data":[{"id":"d1",)"));
}

TEST_F(RoutesTest, FailuresGiveBackTheirPlace) {
  give_up();
  for (int i = 0; i < 3; ++i) post("/post", "{}");
  post("/post", "{");
  EXPECT_EQ(context_.admission.taken(), 0u);
}

TEST_F(RoutesTest, JsonIsTakenByItsNameAndFromCurl) {
  for (const std::string_view type :
       {"application/json", "Application/JSON; charset=utf-8", "application/vnd.x+json",
        "application/x-www-form-urlencoded", "text/plain;charset=UTF-8", " "}) {
    EXPECT_EQ(post("/post", "{}", {{"content-type", type}}).status, 200) << type;
  }
  for (const std::string_view type :
       {"text/html", "multipart/form-data; boundary=x", "image/png", "application/jsonp", "json"}) {
    EXPECT_EQ(post("/post", "{}", {{"content-type", type}}).status, 415) << type;
  }
}

TEST_F(RoutesTest, APageMustSayThatItSendsJsonSoThatItsBrowserAsksUsFirst) {
  const auto from_page = [&](std::string_view type) {
    return post("/post", "{}", {{"origin", "http://x"}, {"content-type", type}}).status;
  };
  EXPECT_EQ(from_page("application/json"), 200);
  for (const char* type : {"text/plain", "application/x-www-form-urlencoded", ""}) {
    EXPECT_EQ(from_page(type), 415) << type;
  }
}

TEST_F(RoutesTest, ACompressedBodyIs415) {
  const HttpResponse response = post("/post", "{}", {{"content-encoding", "gzip"}});
  EXPECT_EQ(response.status, 415);
  EXPECT_EQ(header_of(response, "accept-encoding"), "identity");
  EXPECT_EQ(post("/post", "{}", {{"content-encoding", "identity"}}).status, 200);
}

TEST_F(RoutesTest, ADeadlineThatIsNoneIs400) {
  EXPECT_EQ(post("/post", "{}", {{"grpc-timeout", "2S"}}).status, 200);
  EXPECT_EQ(post("/post", "{}", {{"grpc-timeout", "2"}}).status, 400);
}

// ---- documentation ------------------------------------------------------------------------------

TEST_F(RoutesTest, TheDescriptionFollowsTheEndpointsAndHasATag) {
  const HttpResponse first = get("/openapi.json");
  EXPECT_EQ(first.status, 200);
  EXPECT_THAT(first.body, HasSubstr(R"("/foo":{"post":)"));
  const std::string tag = header_of(first, "etag");
  EXPECT_THAT(tag, MatchesRegex("\"[0-9a-f]{16}\""));

  const HttpResponse known = ask("GET", "/openapi.json", "", {{"if-none-match", tag}});
  EXPECT_EQ(known.status, 304);
  EXPECT_EQ(known.body, "");
  EXPECT_EQ(ask("GET", "/openapi.json", "", {{"if-none-match", "\"x\", W/" + tag}}).status, 304);
  EXPECT_EQ(ask("GET", "/openapi.json", "", {{"if-none-match", "\"x\""}}).status, 200);

  endpoints_.set(0, "a", {});
  EXPECT_NE(header_of(get("/openapi.json"), "etag"), tag);
}

TEST_F(RoutesTest, TheDocsPageIsMadeOfWhatWeServe) {
  const HttpResponse page = get("/docs");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  EXPECT_THAT(page.body, HasSubstr("openapi.json"));
  EXPECT_THAT(page.body, testing::Not(HasSubstr("//")));
  for (const DocsAsset& asset : docs_assets()) {
    const std::string path = "/docs/" + std::string(asset.name);
    const HttpResponse plain = get(path + "?v=1");
    const HttpResponse gzip = ask("GET", path, "", {{"accept-encoding", "br, gzip;q=0.8"}});
    EXPECT_EQ(plain.status, 200);
    EXPECT_TRUE(plain.body == asset.plain);
    EXPECT_EQ(header_of(plain, "content-encoding"), "");
    EXPECT_EQ(header_of(gzip, "content-encoding"), "gzip");
    EXPECT_THAT(gzip.body, StartsWith("\x1f\x8b"));
    EXPECT_NE(header_of(plain, "etag"), header_of(gzip, "etag"));
    EXPECT_EQ(ask("GET", path, "", {{"if-none-match", header_of(plain, "etag")}}).status, 304);
    EXPECT_EQ(header_of(ask("GET", path, "", {{"accept-encoding", "gzip;q=0, deflate"}}),
                        "content-encoding"),
              "");
  }
}

TEST_F(RoutesTest, RedocLeadsToTheDocs) {
  EXPECT_EQ(get("/redoc").status, 307);
  EXPECT_EQ(header_of(get("/redoc"), "location"), "docs");
}

// ---- what is off --------------------------------------------------------------------------------

class WithoutHttpTest : public RoutesTest {
 protected:
  WithoutHttpTest() : RoutesTest("protocols = [\"grpc\", \"websocket\"]") {}
};

TEST_F(WithoutHttpTest, OnlyProbesAreAnswered) {
  EXPECT_EQ(get("/dry_run").status, 200);
  EXPECT_EQ(get("/livez").status, 200);
  for (const char* path : {"/post", "/index", "/foo", "/docs", "/openapi.json"}) {
    EXPECT_EQ(post(path, "{}").status, 404) << path;
    EXPECT_EQ(get(path).status, 404) << path;
  }
}

class GrpcOnlyTest : public RoutesTest {
 protected:
  GrpcOnlyTest() : RoutesTest("protocols = [\"grpc\"]") {}
};

TEST_F(GrpcOnlyTest, NothingIsAnswered) {
  for (const char* path : {"/", "/dry_run", "/livez", "/readyz", "/status", "/docs"}) {
    EXPECT_EQ(get(path).status, 404) << path;
  }
}

// ---- other origins ------------------------------------------------------------------------------

class CorsTest : public RoutesTest {
 protected:
  HttpRoutes& front() override { return cors_; }
  HttpResponse preflight(std::string_view method, const Headers& more = {}) {
    Headers headers = {{"origin", "http://page"}, {"access-control-request-method", method}};
    headers.insert(headers.end(), more.begin(), more.end());
    return ask("OPTIONS", "/post", "", headers);
  }

  Cors cors_{routes_};
};

TEST_F(CorsTest, ABrowsersQuestionIsAnsweredAsStarletteDoes) {
  const HttpResponse answer =
      preflight("POST", {{"access-control-request-headers", "content-type, x-mine"}});

  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "OK");
  EXPECT_EQ(answer.content_type, "text/plain; charset=utf-8");
  EXPECT_EQ(header_of(answer, "access-control-allow-origin"), "http://page");
  EXPECT_EQ(header_of(answer, "access-control-allow-credentials"), "true");
  EXPECT_EQ(header_of(answer, "access-control-allow-methods"),
            "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");
  EXPECT_EQ(header_of(answer, "access-control-allow-headers"), "content-type, x-mine");
  EXPECT_EQ(header_of(answer, "access-control-max-age"), "600");
  EXPECT_EQ(header_of(answer, "vary"), "Origin");
}

TEST_F(CorsTest, AnUnknownMethodIsNotAllowed) {
  EXPECT_EQ(preflight("BREW").status, 400);
  EXPECT_EQ(preflight("BREW").body, "Disallowed CORS method");
}

TEST_F(CorsTest, AnswersToPagesAreMarkedWhateverTheyAre) {
  for (const char* path : {"/post", "/foo", "/nope", "/docs"}) {
    const HttpResponse answer =
        post(path, "{}", {{"origin", "http://page"}, {"content-type", "application/json"}});
    EXPECT_EQ(header_of(answer, "access-control-allow-origin"), "*") << path;
    EXPECT_EQ(header_of(answer, "access-control-allow-credentials"), "true") << path;
    EXPECT_EQ(header_of(answer, "vary"), "") << path;
  }
}

TEST_F(CorsTest, APageWithCookiesIsNamed) {
  const HttpResponse answer =
      ask("GET", "/livez", "", {{"origin", "http://page"}, {"cookie", "a=b"}});
  EXPECT_EQ(header_of(answer, "access-control-allow-origin"), "http://page");
  EXPECT_EQ(header_of(answer, "vary"), "Origin");
}

TEST_F(CorsTest, WhatVariesAlreadyVariesByOriginToo) {
  if (docs_assets().empty()) GTEST_SKIP() << "built without Swagger UI";
  const HttpResponse answer =
      ask("GET", "/docs/NOTICE", "", {{"origin", "http://page"}, {"cookie", "a=b"}});
  EXPECT_EQ(header_of(answer, "vary"), "accept-encoding, Origin");
}

TEST_F(CorsTest, OthersSeeNoDifference) {
  EXPECT_TRUE(get("/livez").headers.empty());
  EXPECT_EQ(ask("OPTIONS", "/post").status, 405);
  EXPECT_EQ(ask("OPTIONS", "/post", "", {{"origin", "http://page"}}).status, 405);
}

TEST_F(RoutesTest, WithoutCorsNoPageIsAllowedAnything) {
  const HttpResponse answer =
      ask("OPTIONS", "/post", "",
          {{"origin", "http://page"}, {"access-control-request-method", "POST"}});
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(header_of(answer, "access-control-allow-origin"), "");
}

// A handler that answers later, in pieces.
class LateRoutes final : public HttpRoutes {
 public:
  class Handler final : public HttpHandler {
   public:
    explicit Handler(LateRoutes& routes) : routes_(routes) { ++routes_.handlers; }
    ~Handler() override { --routes_.handlers; }
    void on_sent() override { ++routes_.sent; }

   private:
    LateRoutes& routes_;
  };
  std::unique_ptr<HttpHandler> open(HttpRequest, HttpExchange& to) override {
    exchange = &to;
    return std::make_unique<Handler>(*this);
  }
  HttpExchange* exchange = nullptr;
  int handlers = 0;
  int sent = 0;
};

TEST(Cors, StandsBetweenAPageAndAnAnswerThatComesLater) {
  LateRoutes late;
  Cors cors(late);
  HeaderFields headers;
  headers.add("origin", "http://page");
  FakeExchange exchange;
  auto handler = cors.open({"GET", "/", headers, ""}, exchange);
  ASSERT_NE(handler, nullptr);

  late.exchange->start({.body = "a"});
  late.exchange->send("b");
  handler->on_sent();
  late.exchange->end();

  EXPECT_EQ(header_of(exchange.answer, "access-control-allow-origin"), "*");
  EXPECT_EQ(exchange.answer.body, "ab");
  EXPECT_TRUE(exchange.ended);
  EXPECT_EQ(late.sent, 1);
  handler.reset();
  EXPECT_EQ(late.handlers, 0);
}

}  // namespace
}  // namespace flow::gateway
