// SPDX-License-Identifier: Apache-2.0
//
// Executors as clients meet them: real plugins, real gRPC.
#include "served.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <condition_variable>
#include <future>
#include <mutex>

#include "core/limits.hpp"
#include "core/status.hpp"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"

namespace flow::host {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::MatchesRegex;

TEST(ServedExecutor, AnswersWithItsRouteAndTheDocuments) {
  Served echo("echo");
  ASSERT_TRUE(echo.start().ok());

  const auto reply = echo.post(request("/index", {"a", "b"}));

  ASSERT_TRUE(reply.status.ok()) << reply.status.error_message();
  EXPECT_THAT(texts(reply.answer), ElementsAre("a", "b"));
  ASSERT_EQ(reply.answer.routes_size(), 1);
  EXPECT_EQ(reply.answer.routes(0).executor(), "executor0");
  EXPECT_FALSE(reply.answer.routes(0).has_start_time());
  EXPECT_FALSE(reply.answer.header().has_status());
  EXPECT_EQ(reply.answer.header().request_id(), "r");
  EXPECT_FALSE(reply.is_error);
}

TEST(ServedExecutor, ChangesDocumentsAndLeavesOtherEndpointsAlone) {
  Served upper("upper");
  ASSERT_TRUE(upper.start().ok());

  EXPECT_THAT(texts(upper.post(request("/upper", {"a", "b"})).answer), ElementsAre("A", "B"));
  const auto skipped = upper.post(request("/other", {"a"}));
  EXPECT_TRUE(skipped.status.ok());
  EXPECT_EQ(skipped.answer.SerializeAsString(), request("/other", {"a"}).SerializeAsString());
}

TEST(ServedExecutor, AnswersADryRunWithoutThePlugin) {
  Served throws("throws");
  ASSERT_TRUE(throws.start().ok());

  const auto reply = throws.post(request("_jina_dry_run_", {}));

  EXPECT_TRUE(reply.status.ok());
  EXPECT_FALSE(reply.is_error);
  EXPECT_EQ(reply.answer.routes_size(), 1);
}

TEST(ServedExecutor, AnswersAPluginsErrorWithStatusOkAndTheReasonInTheHeader) {
  Served edits("edits");
  ASSERT_TRUE(edits.start().ok());

  const auto reply = edits.post(request("/misuse", {"a"}));

  ASSERT_TRUE(reply.status.ok());
  EXPECT_TRUE(reply.is_error);
  const auto& status = reply.answer.header().status();
  EXPECT_EQ(status.code(), jina::StatusProto::ERROR);
  EXPECT_EQ(status.exception().name(), "INVALID_ARGUMENT");
  EXPECT_EQ(status.exception().executor(), "executor0");
  EXPECT_THAT(status.exception().args(), ElementsAre(status.description()));
  ASSERT_EQ(status.exception().stacks_size(), 1);
  EXPECT_EQ(status.exception().stacks(0),
            "executor0/rep-0@4711: process(\"/misuse\") of plugin \"edits\" 1.0.0 returned "
            "INVALID_ARGUMENT: " +
                status.description() + "\n");
}

TEST(ServedExecutor, SurvivesAPluginThatThrows) {
  Served throws("throws");
  ASSERT_TRUE(throws.start().ok());
  for (int i = 0; i < 2; ++i) {
    const auto reply = throws.post(request("/index", {"a"}));
    EXPECT_TRUE(reply.status.ok());
    EXPECT_TRUE(reply.is_error);
    EXPECT_FALSE(reply.answer.header().status().description().empty());
  }
}

TEST(ServedExecutor, SaysWhereAnExceptionWasThrown) {
  Served crashes("crashes");
  ASSERT_TRUE(crashes.start().ok());
  for (int i = 0; i < 2; ++i) {
    const auto reply = crashes.post(request("/throw", {"a"}));
    const auto& stacks = reply.answer.header().status().exception().stacks();
    ASSERT_GE(stacks.size(), 3) << "the sentence and some frames";
    EXPECT_THAT(stacks.Get(1), HasSubstr("#0 0x"));
    EXPECT_THAT(stacks.Get(1), HasSubstr(" crashing::throw_here()+0x"));
  }
}

TEST(ServedExecutor, SaysOfARefusalOnlyWhatThePluginSaid) {
  Served crashes("crashes");
  ASSERT_TRUE(crashes.start().ok());
  const auto reply = crashes.post(request("/refuse", {"a"}));
  EXPECT_EQ(reply.answer.header().status().exception().name(), "INVALID_ARGUMENT");
  EXPECT_EQ(reply.answer.header().status().exception().stacks_size(), 1);
}

TEST(ServedExecutor, RefusesSerialisedDocuments) {
  Served echo("echo");
  ASSERT_TRUE(echo.start().ok());
  auto bytes = request("/index", {});
  bytes.mutable_data()->set_docs_bytes("pickle");

  const auto reply = echo.post(bytes);

  EXPECT_TRUE(reply.status.ok());
  EXPECT_TRUE(reply.is_error);
  EXPECT_EQ(reply.answer.header().status().exception().name(), "UNIMPLEMENTED");
  EXPECT_THAT(reply.answer.header().status().description(), HasSubstr("send them as docs"));
}

TEST(ServedExecutor, LetsAPluginEditEverything) {
  Served edits("edits");
  ASSERT_TRUE(edits.start().ok());
  const auto first = [&](const std::string& endpoint) {
    return edits.post(request(endpoint, {"a"})).answer.data().docs().docs(0);
  };

  EXPECT_EQ(first("/id").id(), "new-id-a");
  EXPECT_EQ(first("/text").text(), "new a");
  EXPECT_EQ(first("/mime_type").mime_type(), "text/markdown");
  EXPECT_EQ(first("/blob").blob(), std::string("\0\1\377", 3));
  EXPECT_EQ(first("/tensor").tensor().dense().dtype(), "<i2");
  EXPECT_EQ(first("/tensor").tensor().dense().buffer().size(), 12U);
  EXPECT_EQ(first("/embedding").embedding().dense().shape(0), 4U);
  EXPECT_EQ(first("/scores").scores().at("cosine").value(), 0.5F);
  EXPECT_EQ(first("/chunks").chunks(0).text(), "new");
  EXPECT_EQ(first("/matches").matches(0).id(), "match-of-id-a");
  EXPECT_EQ(first("/matches").matches(0).adjacency(), 1U);
  EXPECT_EQ(first("/matches").matches(0).chunks(0).text(), "chunk of a match");
  EXPECT_THAT(texts(edits.post(request("/append", {"a"})).answer),
              ElementsAre("a", "appended text"));
  EXPECT_THAT(texts(edits.post(request("/remove", {"a", "b", "c", "d"})).answer),
              ElementsAre("b", "d"));
  EXPECT_EQ(edits.post(request("/replace", {"a", "b"})).answer.data().docs().docs(0).id(),
            "replacement");
}

TEST(ServedExecutor, TurnsParametersIntoTags) {
  Served edits("edits");
  ASSERT_TRUE(edits.start().ok());
  auto message = request("/tags", {"a"});
  auto& tags = *message.mutable_data()->mutable_docs()->mutable_docs(0)->mutable_tags();
  (*tags.mutable_fields())["removed"].set_bool_value(true);
  (*tags.mutable_fields())["kept"].set_string_value("k");
  auto& list = *(*message.mutable_parameters()->mutable_fields())["list"].mutable_list_value();
  list.add_values()->set_number_value(7);

  const auto answer = edits.post(message).answer.data().docs().docs(0).tags().fields();

  EXPECT_FALSE(answer.contains("removed"));
  EXPECT_EQ(answer.at("kept").string_value(), "k");
  EXPECT_EQ(answer.at("number").number_value(), 1.5);
  EXPECT_EQ(answer.at("list").list_value().values(0).number_value(), 7);
}

TEST(ServedExecutor, AnswersFromAPluginsOwnThread) {
  Served async("async");
  ASSERT_TRUE(async.start().ok());
  std::vector<std::future<Served::Reply>> replies;
  for (int i = 0; i < 8; ++i) {
    replies.push_back(
        std::async(std::launch::async, [&] { return async.post(request("/x", {"a"})); }));
  }
  for (auto& future : replies) {
    const auto reply = future.get();
    ASSERT_TRUE(reply.status.ok());
    EXPECT_EQ(reply.answer.data().docs().docs(0).tags().fields().at("answered").string_value(),
              "later");
  }
}

TEST(ServedExecutor, GivesCreateItsConfiguration) {
  Served configured("configured", "{name = \"n\", token = \"secret\"}");
  ASSERT_TRUE(configured.start().ok());

  const auto tags =
      configured.post(request("/x", {"a"})).answer.data().docs().docs(0).tags().fields();

  EXPECT_EQ(tags.at("name").string_value(), "n");
  EXPECT_EQ(tags.at("count").number_value(), 3);
  EXPECT_EQ(tags.at("labels").string_value(), "a;b;");
  EXPECT_EQ(tags.at("token_size").number_value(), 6);
}

TEST(ServedExecutor, SaysWhyCreateFailed) {
  Served fails("create-fails"), throws("create-throws");
  EXPECT_THAT(std::string(fails.start().message()),
              MatchesRegex("create\\(\\) returned [A-Z_]+: .+"));
  EXPECT_THAT(std::string(throws.start().message()), HasSubstr("create() returned "));
}

TEST(ServedExecutor, MergesTheRequestsOfAJoin) {
  Served upper("upper");
  ASSERT_TRUE(upper.start().ok());
  jina::DataRequestListProto list;
  *list.add_requests() = request("/upper", {"a"});
  *list.add_requests() = request("/upper", {"b", "c"});
  list.mutable_requests(0)->add_routes()->set_executor("one");
  list.mutable_requests(1)->add_routes()->set_executor("two");

  grpc::ClientContext context;
  jina::DataRequestProto answer;
  const auto status =
      jina::JinaDataRequestRPC::NewStub(upper.channel())->process_data(&context, list, &answer);

  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(texts(answer), ElementsAre("A", "B", "C"));
  ASSERT_EQ(answer.routes_size(), 3);
  EXPECT_EQ(answer.routes(1).executor(), "two");
  EXPECT_EQ(answer.routes(2).executor(), "executor0");
}

TEST(ServedExecutor, PassesTheDeadlineIntoThePlugin) {
  Served slow("slow", "{delay_ms = 60000}");
  ASSERT_TRUE(slow.start().ok());

  EXPECT_EQ(slow.post(request("/x", {}), 100ms).status.error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  // The plugin heeds it, or else the end of this test would wait for a minute.
}

TEST(ServedExecutor, RefusesCallsBeyondItsBoundAndServesAgainWhenTheyAreGone) {
  Served slow("slow", "{delay_ms = 60000}");
  ASSERT_TRUE(slow.start().ok());
  constexpr std::size_t kCalls = core::limits::kCallsInHandMax + 10;
  const auto stub = jina::JinaSingleDataRequestRPC::NewStub(slow.channel());
  const auto message = request("/x", {});
  std::vector<grpc::ClientContext> contexts(kCalls);
  std::vector<jina::DataRequestProto> answers(kCalls);
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t refused = 0, ended = 0;
  for (std::size_t i = 0; i < kCalls; ++i) {
    stub->async()->process_single_data(
        &contexts[i], &message, &answers[i], [&, i](grpc::Status status) {
          const std::lock_guard lock(mutex);
          ++ended;
          const auto& trailers = contexts[i].GetServerTrailingMetadata();
          const bool marked = trailers.find("flow-not-started") != trailers.end();
          if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED && marked) ++refused;
          changed.notify_all();
        });
  }
  std::unique_lock lock(mutex);
  EXPECT_TRUE(changed.wait_for(lock, kPatience, [&] { return ended == 10; }));
  EXPECT_EQ(refused, 10U);
  lock.unlock();
  for (auto& context : contexts) context.TryCancel();
  lock.lock();
  EXPECT_TRUE(changed.wait_for(lock, kPatience, [&] { return ended == kCalls; }));
}

TEST(ServedExecutor, RefusesAMessageThatIsTooLarge) {
  // Within HTTP/2's first window: gRPC's client hears of the refusal when it has sent everything.
  Served echo("echo", "{}", 16 << 10);
  ASSERT_TRUE(echo.start().ok());

  EXPECT_EQ(echo.post(request("/x", {std::string(32 << 10, 'x')})).status.error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST(ServedExecutor, DescribesItself) {
  Served upper("upper");
  ASSERT_TRUE(upper.start().ok());
  grpc::ClientContext one, two;
  jina::EndpointsProto endpoints;
  jina::JinaInfoProto info;

  ASSERT_TRUE(jina::JinaDiscoverEndpointsRPC::NewStub(upper.channel())
                  ->endpoint_discovery(&one, {}, &endpoints)
                  .ok());
  ASSERT_TRUE(jina::JinaInfoRPC::NewStub(upper.channel())->_status(&two, {}, &info).ok());

  EXPECT_THAT(endpoints.endpoints(), ElementsAre("/upper", "_jina_dry_run_"));
  EXPECT_EQ(endpoints.schemas().fields_size(), 2);
  EXPECT_TRUE(endpoints.schemas().fields().contains("/upper"));
  EXPECT_EQ(info.jina().at("plugin"), "upper");
  EXPECT_EQ(info.jina().at("abi"), "1.0");
  EXPECT_TRUE(info.envs().contains("FLOW_LOG_LEVEL"));
}

// ---- health
// --------------------------------------------------------------------------------------

using Health = grpc::health::v1::Health;
using HealthAnswer = grpc::health::v1::HealthCheckResponse;

grpc::health::v1::HealthCheckRequest about(const std::string& service) {
  grpc::health::v1::HealthCheckRequest message;
  message.set_service(service);
  return message;
}

TEST(ServedExecutorHealth, IsCheckedByName) {
  Served echo("echo");
  ASSERT_TRUE(echo.start().ok());
  const auto stub = Health::NewStub(echo.channel());
  for (const auto* name : {"", "executor0", "jina.JinaSingleDataRequestRPC"}) {
    grpc::ClientContext context;
    HealthAnswer answer;
    ASSERT_TRUE(stub->Check(&context, about(name), &answer).ok()) << name;
    EXPECT_EQ(answer.status(), HealthAnswer::SERVING) << name;
  }
  grpc::ClientContext context;
  HealthAnswer answer;
  EXPECT_EQ(stub->Check(&context, about("other"), &answer).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST(ServedExecutorHealth, FollowsThePluginAndIsWatched) {
  Served unhealthy("unhealthy");
  ASSERT_TRUE(unhealthy.start().ok());
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  const auto watch = Health::NewStub(unhealthy.channel())->Watch(&context, about("executor0"));
  HealthAnswer answer;

  ASSERT_TRUE(watch->Read(&answer));
  EXPECT_EQ(answer.status(), HealthAnswer::SERVING);
  unhealthy.post(request("/sicken", {}));
  ASSERT_TRUE(watch->Read(&answer));
  EXPECT_EQ(answer.status(), HealthAnswer::NOT_SERVING);
  unhealthy.post(request("/cure", {}));
  ASSERT_TRUE(watch->Read(&answer));
  EXPECT_EQ(answer.status(), HealthAnswer::SERVING);
}

TEST(ServedExecutorHealth, IsWithdrawnBeforeRequestsAreRefused) {
  Served echo("echo");
  ASSERT_TRUE(echo.start().ok());
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  const auto watch = Health::NewStub(echo.channel())->Watch(&context, about(""));
  HealthAnswer answer;
  ASSERT_TRUE(watch->Read(&answer));

  echo->announce_stop();
  ASSERT_TRUE(watch->Read(&answer));
  EXPECT_EQ(answer.status(), HealthAnswer::NOT_SERVING);
  EXPECT_TRUE(echo.post(request("/x", {"a"})).status.ok());

  EXPECT_TRUE(echo->drain(std::chrono::steady_clock::now() + kPatience));
  EXPECT_EQ(echo.post(request("/x", {"a"})).status.error_code(), grpc::StatusCode::UNAVAILABLE);
}

// ---- reflection
// ----------------------------------------------------------------------------------

template <typename Service, typename Request, typename Response>
void expect_reflection(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  const auto stream = Service::NewStub(channel)->ServerReflectionInfo(&context);
  Request list, symbol;
  list.set_list_services("");
  symbol.set_file_containing_symbol("jina.JinaSingleDataRequestRPC");
  Response listed, described;

  ASSERT_TRUE(stream->Write(list) && stream->Read(&listed));
  ASSERT_TRUE(stream->Write(symbol) && stream->Read(&described));
  stream->WritesDone();

  EXPECT_TRUE(stream->Finish().ok());
  std::vector<std::string> names;
  for (const auto& service : listed.list_services_response().service()) {
    names.push_back(service.name());
  }
  EXPECT_THAT(names,
              IsSupersetOf({"grpc.health.v1.Health", "jina.JinaSingleDataRequestRPC",
                            "jina.JinaDataRequestRPC", "jina.JinaInfoRPC",
                            "jina.JinaDiscoverEndpointsRPC", "jina.JinaSingleDocumentRequestRPC"}));
  EXPECT_GE(described.file_descriptor_response().file_descriptor_proto_size(), 2);
}

TEST(ServedExecutorReflection, WorksInBothVersions) {
  Served echo("echo");
  ASSERT_TRUE(echo.start().ok());
  namespace v1 = grpc::reflection::v1;
  namespace v1alpha = grpc::reflection::v1alpha;
  expect_reflection<v1::ServerReflection, v1::ServerReflectionRequest,
                    v1::ServerReflectionResponse>(echo.channel());
  expect_reflection<v1alpha::ServerReflection, v1alpha::ServerReflectionRequest,
                    v1alpha::ServerReflectionResponse>(echo.channel());
}

// ---- addresses
// -----------------------------------------------------------------------------------

ServedExecutorSpec listening_on(ListenSpec listen) {
  static flow_plugin table = [] {
    flow_plugin result{};
    result.size = sizeof result;
    result.create = [](const flow_host*, const flow_value*, flow_executor**) noexcept {
      return flow_status{FLOW_OK};
    };
    result.destroy = [](flow_executor*) noexcept {};
    result.process = [](flow_executor*, const flow_request*, flow_call*) noexcept {
      return flow_status{FLOW_OK};
    };
    return result;
  }();
  ServedExecutorSpec spec;
  spec.identity.executor = "executor0";
  spec.table = &table;
  spec.listen = std::move(listen);
  spec.bytes_max = 1 << 20;
  return spec;
}

TEST(ServedExecutorAddress, MayBeAUnixSocketToo) {
  const auto path = "/tmp/flow-executor-" + std::to_string(::getpid()) + ".sock";
  ServedExecutor executor(listening_on({"127.0.0.1:0", path}),
                          core::make_logger("e", core::LogConfig{.level = "off"}));
  ASSERT_TRUE(executor.create().ok());
  ASSERT_TRUE(executor.listen().ok());

  grpc::ClientContext context;
  HealthAnswer answer;
  const auto channel = grpc::CreateChannel("unix:" + path, grpc::InsecureChannelCredentials());
  EXPECT_TRUE(Health::NewStub(channel)->Check(&context, about(""), &answer).ok());
  executor.stop();
}

TEST(ServedExecutorAddress, IsNamedWithTheReasonIfItCannotBeBound) {
  for (const auto& [listen, words] :
       {std::pair{ListenSpec{"192.0.2.1:1", ""}, "192.0.2.1:1: Cannot assign requested address"},
        {ListenSpec{"127.0.0.1:0", "/absent/folder/e.sock"}, "unix:/absent/folder/e.sock: "}}) {
    ServedExecutor executor(listening_on(listen),
                            core::make_logger("e", core::LogConfig{.level = "off"}));
    ASSERT_TRUE(executor.create().ok());
    EXPECT_THAT(std::string(executor.listen().message()),
                HasSubstr(std::string("executor0/rep-0 cannot listen on ") + words));
    executor.stop();
  }
}

TEST(ServedExecutorPings, AreToleratedFromAnImpatientGateway) {
  Served echo("echo");
  ASSERT_TRUE(echo.start().ok());
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  const auto channel = grpc::CreateCustomChannel(echo->server().tcp_address(),
                                                 grpc::InsecureChannelCredentials(), arguments);
  ASSERT_TRUE(channel->WaitForConnected(std::chrono::system_clock::now() + kPatience));

  // A server that takes pings for an attack ends the connection after a few.
  EXPECT_FALSE(
      channel->WaitForStateChange(GRPC_CHANNEL_READY, std::chrono::system_clock::now() + 300ms));
}

}  // namespace
}  // namespace flow::host
