// SPDX-License-Identifier: Apache-2.0
// What the gateway answers over HTTP, by path, method and readiness.
#include "gateway/services/http_routes.hpp"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/gateway/empty_flow.hpp"

namespace flow::gateway {
namespace {

using core::ReplicaState;
using testing::HasSubstr;
using testing::StartsWith;

FlowView flow_in(ReplicaState state) {
  return {{{"a", {{"a/rep-0", "0.0.0.0:1", {state, {}, "because", 7}}}}}};
}

class Exchange final : public HttpExchange {
 public:
  void respond(HttpResponse response) override { response_ = std::move(response); }
  void start(HttpResponse head) override { response_ = std::move(head); }
  void send(std::string piece) override { response_.body += piece; }
  void end() override {}
  std::size_t unsent() const override { return 0; }

  HttpResponse response_;
};

class RoutesTest : public testing::Test {
 protected:
  HttpResponse ask(std::string_view method, std::string_view target) {
    Exchange exchange;
    const HeaderFields none;
    EXPECT_EQ(routes_.open({method, target, none, ""}, exchange), nullptr);
    return std::move(exchange.response_);
  }
  HttpResponse get(std::string_view target) { return ask("GET", target); }

  core::GatewayConfig config_;
  Readiness readiness_{flow_in(ReplicaState::Ready)};
  EmptyFlow flow_;
  Routes routes_{config_, readiness_, flow_.deep_dry_run,
                 [] { return std::string(R"({"executors":[]})"); }};
};

TEST_F(RoutesTest, RootIsAliveAndEmpty) {
  EXPECT_EQ(get("/").status, 200);
  EXPECT_EQ(get("/").body, "{}");
}

TEST_F(RoutesTest, ADeepDryRunIsAnsweredInTheFormOfAnyOther) {
  Exchange exchange;
  const HeaderFields none;
  const auto handler = routes_.open({"GET", "/dry_run?deep=1", none, ""}, exchange);
  EXPECT_EQ(exchange.response_.status, 200);
  EXPECT_EQ(exchange.response_.body, R"({"code":0,"description":"","exception":null})");

  flow_.readiness.publish(flow_in(ReplicaState::Failed));
  const auto failing = routes_.open({"GET", "/dry_run?deep", none, ""}, exchange);
  EXPECT_EQ(exchange.response_.status, 503);
  EXPECT_THAT(exchange.response_.body, StartsWith(R"({"code":1,)"));
}

TEST_F(RoutesTest, ADryRunIsDeepOnlyIfItSaysSo) {
  for (const std::string_view target : {"/dry_run?deep=0", "/dry_run?", "/dry_run?deeper"}) {
    EXPECT_EQ(get(target).status, 200) << target;
  }
  EXPECT_EQ(ask("POST", "/dry_run?deep=1").status, 405);
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
  config_.http_dry_run_status = 200;
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
  EXPECT_EQ(get("/executors").body, R"({"executors":[]})");
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
  for (const std::string_view path : {"/nope", "/dry_run/", "", "*", "/_status"}) {
    EXPECT_EQ(get(path).status, 404) << path;
    EXPECT_EQ(get(path).body, R"({"detail":"Not Found"})");
  }
}

TEST_F(RoutesTest, OtherMethodsAre405AndToldWhatIsAllowed) {
  for (const std::string_view method : {"HEAD", "POST", "OPTIONS", "BREW"}) {
    const HttpResponse response = ask(method, "/dry_run");
    EXPECT_EQ(response.status, 405) << method;
    EXPECT_EQ(response.body, R"({"detail":"Method Not Allowed"})");
    ASSERT_EQ(response.headers.size(), 1u);
    EXPECT_EQ(response.headers[0].second, "GET");
  }
  EXPECT_EQ(ask("HEAD", "/readyz").status, 200);
}

}  // namespace
}  // namespace flow::gateway
