// SPDX-License-Identifier: Apache-2.0
//
// What becomes of a request, and what an answer says, as existing clients expect it.
#include "host/executor/answer.hpp"

#include <gmock/gmock.h>

#include "host/executor/status_text.hpp"

namespace flow::host {
namespace {

using testing::ElementsAre;

flow::v1::PluginInfo plugin(std::vector<std::string> paths) {
  flow::v1::PluginInfo info;
  info.set_id("x");
  info.set_version("0.1.0");
  for (auto& path : paths) info.add_endpoints()->set_path(std::move(path));
  return info;
}
jina::DataRequestProto asking(const std::string& endpoint) {
  jina::DataRequestProto request;
  request.mutable_header()->set_exec_endpoint(endpoint);
  return request;
}
Identity identity() { return {"executor0", 2, 99, plugin({"/index"}), "ab"}; }

TEST(Route, FollowsTheEndpointsThatThePluginLists) {
  EXPECT_EQ(route(plugin({"/index"}), asking("/index")), Route::Process);
  EXPECT_EQ(route(plugin({"/index"}), asking("/search")), Route::Skip);
  EXPECT_EQ(route(plugin({"/index", "/default"}), asking("/search")), Route::Process);
  EXPECT_EQ(route(plugin({}), asking("/search")), Route::Process);
  EXPECT_EQ(route(plugin({"/"}), {}), Route::Process);
  EXPECT_EQ(route(plugin({"/index"}), {}), Route::Skip);
}

TEST(Route, LeavesTheDryRunToTheHostUnlessThePluginListsIt) {
  EXPECT_EQ(route(plugin({"/default"}), asking("_jina_dry_run_")), Route::DryRun);
  EXPECT_EQ(route(plugin({}), asking("_jina_dry_run_")), Route::DryRun);
  EXPECT_EQ(route(plugin({"_jina_dry_run_"}), asking("_jina_dry_run_")), Route::Process);
}

TEST(Route, RefusesBytesThatThePluginWouldHaveToRead) {
  auto request = asking("/index");
  request.mutable_data()->set_docs_bytes("x");
  EXPECT_EQ(route(plugin({"/index"}), request), Route::Unsupported);
  EXPECT_EQ(route(plugin({"/other"}), request), Route::Skip);
}

TEST(Endpoints, AreThoseOfThePluginAndTheDryRun) {
  EXPECT_THAT(endpoints(plugin({"/a", "/b"})).endpoints(),
              ElementsAre("/a", "/b", "_jina_dry_run_"));
  EXPECT_THAT(endpoints(plugin({})).endpoints(), ElementsAre("/default", "_jina_dry_run_"));
  EXPECT_THAT(endpoints(plugin({"_jina_dry_run_"})).endpoints(), ElementsAre("_jina_dry_run_"));
}

TEST(Error, HasTheShapeThatClientsKnow) {
  auto answer = asking("/index");
  set_error(identity(), FLOW_INVALID_ARGUMENT, "too short", answer);

  const auto& status = answer.header().status();
  EXPECT_EQ(status.code(), jina::StatusProto::ERROR);
  EXPECT_EQ(status.description(), "too short");
  EXPECT_EQ(status.exception().name(), "INVALID_ARGUMENT");
  EXPECT_THAT(status.exception().args(), ElementsAre("too short"));
  EXPECT_THAT(status.exception().stacks(),
              ElementsAre("executor0/rep-2@99: process(\"/index\") of plugin \"x\" 0.1.0 returned "
                          "INVALID_ARGUMENT: too short\n"));
  EXPECT_EQ(status.exception().executor(), "executor0");
}

TEST(Error, IsPutIntoWordsAndIntoUtf8) {
  jina::DataRequestProto silent, garbled;
  set_error(identity(), 4711, "", silent);
  set_error(identity(), FLOW_INTERNAL, "caf\xe9", garbled);
  EXPECT_EQ(silent.header().status().exception().name(), "UNKNOWN");
  EXPECT_EQ(silent.header().status().description(), "the plugin gave no reason");
  EXPECT_EQ(garbled.header().status().description(), "caf?");
}

TEST(StatusName, CountsWhatItDoesNotKnowAsUnknown) {
  EXPECT_EQ(status_name(FLOW_OK), "OK");
  EXPECT_EQ(status_name(FLOW_UNAUTHENTICATED), "UNAUTHENTICATED");
  EXPECT_EQ(status_name(17), "UNKNOWN");
  EXPECT_EQ(status_name(-7), "UNKNOWN");
}

TEST(Merge, AppendsDocumentsAndNewRoutesInOrder) {
  jina::DataRequestListProto list;
  for (const auto* id : {"a", "b", "c"}) {
    auto& request = *list.add_requests();
    request.mutable_header()->set_request_id(id);
    request.mutable_data()->mutable_docs()->add_docs()->set_id(id);
    request.add_routes()->set_executor("gateway");
    request.add_routes()->set_executor(id);
  }
  jina::DataRequestProto merged;
  merge(list, merged);

  EXPECT_EQ(merged.header().request_id(), "a");
  ASSERT_EQ(merged.data().docs().docs_size(), 3);
  EXPECT_EQ(merged.data().docs().docs(2).id(), "c");
  ASSERT_EQ(merged.routes_size(), 4);
  EXPECT_EQ(merged.routes(3).executor(), "c");
}

TEST(Merge, OfNothingIsAnEmptyRequest) {
  jina::DataRequestListProto list;
  jina::DataRequestProto merged;
  merge(list, merged);
  EXPECT_EQ(merged.ByteSizeLong(), 0U);
}

TEST(Merge, KeepsBytesSoThatTheyAreRefused) {
  jina::DataRequestListProto list;
  list.add_requests()->mutable_data()->mutable_docs()->add_docs()->set_id("a");
  list.add_requests()->mutable_data()->set_docs_bytes("x");
  jina::DataRequestProto merged;
  merge(list, merged);
  EXPECT_TRUE(merged.data().has_docs_bytes());
}

TEST(Info, TellsVersionsAndNoEnvironmentButTheLogLevel) {
  const auto answer = info(identity(), std::chrono::seconds(5), [](const std::string& name) {
    return name == "JINA_LOG_LEVEL" ? std::optional<std::string>("debug") : std::nullopt;
  });
  EXPECT_EQ(answer.jina().at("plugin"), "x");
  EXPECT_EQ(answer.jina().at("plugin-version"), "0.1.0");
  EXPECT_EQ(answer.jina().at("build-id"), "ab");
  EXPECT_EQ(answer.jina().at("uptime"), "5");
  EXPECT_EQ(answer.jina().at("protobuf").substr(0, 2), "3.");
  EXPECT_EQ(answer.envs().size(), 2U);
  EXPECT_EQ(answer.envs().at("FLOW_LOG_LEVEL"), "(unset)");
  EXPECT_EQ(answer.envs().at("JINA_LOG_LEVEL"), "debug");
}

}  // namespace
}  // namespace flow::host
