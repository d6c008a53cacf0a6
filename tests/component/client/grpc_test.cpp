// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <deque>
#include <future>

#include "core/status.hpp"
#include "flow/client.hpp"
#include "grpc/health/v1/health.grpc.pb.h"
#include "jina.grpc.pb.h"

namespace flow {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kPatience = 20s;

using Single = jina::DataRequestProto;
using CallStream = grpc::ServerReaderWriter<Single, Single>;

// What a gateway's services do, for each test to change. Called by gRPC's threads.
struct Behaviour {
  std::function<grpc::Status(jina::StatusProto*)> dry_run = [](auto*) { return grpc::Status::OK; };
  std::function<grpc::Status(grpc::ServerContext*, CallStream*)> call;
  std::function<grpc::Status(const Single&, Single*)> single;
  std::function<grpc::Status(const jina::SingleDocumentRequestProto&,
                             grpc::ServerWriter<jina::SingleDocumentRequestProto>*)>
      stream_doc;
  bool has_call = true;
};

class FakeGateway {
 public:
  explicit FakeGateway(Behaviour& behaviour)
      : dry_run_(behaviour), call_(behaviour), single_(behaviour), document_(behaviour) {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    for (grpc::Service* each : std::initializer_list<grpc::Service*>{
             &dry_run_, &single_, &document_, &health_, &discover_}) {
      builder.RegisterService(each);
    }
    if (behaviour.has_call) builder.RegisterService(&call_);
    server_ = builder.BuildAndStart();
    url_ = "grpc://127.0.0.1:" + std::to_string(port);
  }
  ~FakeGateway() { server_->Shutdown(std::chrono::system_clock::now()); }

  const std::string& url() const { return url_; }

 private:
  struct DryRunService : jina::JinaGatewayDryRunRPC::Service {
    explicit DryRunService(Behaviour& each) : behaviour(each) {}
    grpc::Status dry_run(grpc::ServerContext* context, const google::protobuf::Empty*,
                         jina::StatusProto* answer) override {
      if (context->client_metadata().count("flow-dry-run") != 0) answer->set_description("deep");
      return behaviour.dry_run(answer);
    }
    Behaviour& behaviour;
  };
  struct CallService : jina::JinaRPC::Service {
    explicit CallService(Behaviour& each) : behaviour(each) {}
    grpc::Status Call(grpc::ServerContext* context, CallStream* stream) override {
      return behaviour.call(context, stream);
    }
    Behaviour& behaviour;
  };
  struct SingleService : jina::JinaSingleDataRequestRPC::Service {
    explicit SingleService(Behaviour& each) : behaviour(each) {}
    grpc::Status process_single_data(grpc::ServerContext*, const Single* request,
                                     Single* answer) override {
      return behaviour.single(*request, answer);
    }
    Behaviour& behaviour;
  };
  struct DocumentService : jina::JinaSingleDocumentRequestRPC::Service {
    explicit DocumentService(Behaviour& each) : behaviour(each) {}
    grpc::Status stream_doc(grpc::ServerContext*, const jina::SingleDocumentRequestProto* request,
                            grpc::ServerWriter<jina::SingleDocumentRequestProto>* writer) override {
      return behaviour.stream_doc(*request, writer);
    }
    Behaviour& behaviour;
  };
  struct HealthService : grpc::health::v1::Health::Service {
    grpc::Status Check(grpc::ServerContext*, const grpc::health::v1::HealthCheckRequest* request,
                       grpc::health::v1::HealthCheckResponse* answer) override {
      using Response = grpc::health::v1::HealthCheckResponse;
      if (request->service() == "nobody") return {grpc::StatusCode::NOT_FOUND, "unknown service"};
      answer->set_status(request->service().empty() ? Response::SERVING : Response::NOT_SERVING);
      return grpc::Status::OK;
    }
  };
  struct DiscoverService : jina::JinaDiscoverEndpointsRPC::Service {
    grpc::Status endpoint_discovery(grpc::ServerContext*, const google::protobuf::Empty*,
                                    jina::EndpointsProto* answer) override {
      answer->add_endpoints("/index");
      answer->add_endpoints("/search");
      return grpc::Status::OK;
    }
  };

  DryRunService dry_run_;
  CallService call_;
  SingleService single_;
  DocumentService document_;
  HealthService health_;
  DiscoverService discover_;
  std::unique_ptr<grpc::Server> server_;
  std::string url_;
};

Single echo(const Single& request) {
  Single answer = request;
  answer.add_routes()->set_executor("gateway");
  return answer;
}

grpc::Status echo_all(grpc::ServerContext*, CallStream* stream) {
  Single request;
  while (stream->Read(&request)) stream->Write(echo(request));
  return grpc::Status::OK;
}

std::vector<Document> texts(int count) {
  std::vector<Document> documents;
  for (int i = 0; i < count; ++i) documents.push_back(Document::of_text(std::to_string(i)));
  return documents;
}

void expect_texts(const absl::StatusOr<std::vector<Document>>& documents, int count) {
  ASSERT_TRUE(documents.ok()) << documents.status();
  ASSERT_EQ(documents->size(), static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    EXPECT_EQ((*documents)[static_cast<std::size_t>(i)].text(), std::to_string(i));
  }
}

// ---- checks -------------------------------------------------------------------------------------

TEST(GrpcClient, IsReadyIfTheGatewaySaysSo) {
  Behaviour behaviour;
  const FakeGateway gateway(behaviour);
  Client client(gateway.url());
  EXPECT_TRUE(client.is_flow_ready(kPatience));
  EXPECT_EQ(client.last_reason(), "");
}

TEST(GrpcClient, TellsWhyTheFlowIsNotReady) {
  Behaviour behaviour;
  behaviour.dry_run = [](jina::StatusProto* answer) {
    answer->set_code(jina::StatusProto::ERROR);
    answer->set_description("executor0 may be down");
    answer->mutable_exception()->set_name("InternalNetworkError");
    answer->mutable_exception()->add_stacks("was killed\n");
    return grpc::Status::OK;
  };
  const FakeGateway gateway(behaviour);
  const CheckResult result = Client(gateway.url()).ready(kPatience);
  EXPECT_FALSE(result.ready);
  EXPECT_TRUE(result.status.ok());
  EXPECT_EQ(result.description, "executor0 may be down");
  EXPECT_EQ(result.exception, "InternalNetworkError");
  EXPECT_THAT(result.stacks, ElementsAre("was killed\n"));
  EXPECT_EQ(result.reason(), gateway.url() + ": executor0 may be down");
}

TEST(GrpcClient, TellsAnErrorOfTheCallWithItsStatus) {
  Behaviour behaviour;
  behaviour.dry_run = [](auto*) {
    return grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "Method not found!");
  };
  const FakeGateway gateway(behaviour);
  const CheckResult result = Client(gateway.url()).ready(kPatience);
  EXPECT_EQ(result.status, absl::UnimplementedError("Method not found!"));
  EXPECT_EQ(result.reason(), gateway.url() + ": UNIMPLEMENTED: Method not found!");
  EXPECT_NE(result.debug, "");
}

TEST(GrpcClient, AsksForADeepDryRun) {
  Behaviour behaviour;
  const FakeGateway gateway(behaviour);
  Client client(gateway.url());
  EXPECT_EQ(client.ready(kPatience, DryRun::Deep).description, "deep");
  EXPECT_EQ(client.ready(kPatience).description, "");
}

TEST(GrpcClient, SeesAtOnceThatAServerIsBack) {
  Behaviour behaviour;
  auto gateway = std::make_unique<FakeGateway>(behaviour);
  Client client(gateway->url());
  ASSERT_TRUE(client.is_flow_ready(kPatience));
  gateway.reset();
  EXPECT_FALSE(client.is_flow_ready(kPatience));
  EXPECT_FALSE(client.is_flow_ready(kPatience));
  const std::uint16_t port = parse_url(client.url())->port;
  struct DryRunOnly : jina::JinaGatewayDryRunRPC::Service {
    grpc::Status dry_run(grpc::ServerContext*, const google::protobuf::Empty*,
                         jina::StatusProto*) override {
      return grpc::Status::OK;
    }
  } service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:" + std::to_string(port), grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  EXPECT_TRUE(client.is_flow_ready(kPatience)) << client.last_reason();
  server->Shutdown();
}

TEST(GrpcClient, ChecksTheHealthOfOneService) {
  Behaviour behaviour;
  const FakeGateway gateway(behaviour);
  Client client(gateway.url());
  EXPECT_TRUE(client.health({}, kPatience).ready);
  EXPECT_THAT(client.health("encoder", kPatience).reason(), HasSubstr("NOT_SERVING"));
  EXPECT_TRUE(absl::IsNotFound(client.health("nobody", kPatience).status));
}

TEST(GrpcClient, DiscoversEndpoints) {
  Behaviour behaviour;
  const FakeGateway gateway(behaviour);
  EXPECT_THAT(*Client(gateway.url()).discover(kPatience), ElementsAre("/index", "/search"));
}

// ---- data ---------------------------------------------------------------------------------------

TEST(GrpcClient, PostsThroughOneStream) {
  Behaviour behaviour;
  std::atomic<int> calls = 0;
  behaviour.call = [&](auto* context, auto* stream) {
    ++calls;
    EXPECT_EQ(context->client_metadata().find("__prefetch__")->second, "8");
    EXPECT_EQ(context->client_metadata().find("__results_in_order__")->second, "true");
    return echo_all(context, stream);
  };
  const FakeGateway gateway(behaviour);
  Client client(gateway.url());
  expect_texts(client.post("/", texts(250), {}, {.request_size = 10, .prefetch = 8}), 250);
  EXPECT_EQ(calls, 1);
}

TEST(GrpcClient, PutsAnswersInOrderThatComeOutOfOrder) {
  Behaviour behaviour;
  behaviour.call = [](auto*, CallStream* stream) {
    Single request;
    stream->Read(&request);
    stream->Write(echo(request));
    std::deque<Single> held;
    while (held.size() < 3 && stream->Read(&request)) held.push_front(echo(request));
    for (const Single& each : held) stream->Write(each);
    return grpc::Status::OK;
  };
  const FakeGateway gateway(behaviour);
  Client client(gateway.url());
  expect_texts(client.post("/", texts(4), {}, {.request_size = 1, .timeout = kPatience}), 4);
}

TEST(GrpcClient, DoesNotDeadlockWithAServerThatReadsNothingWhileItAnswers) {
  Behaviour behaviour;
  // Large messages in both directions: neither side could buffer them all.
  behaviour.call = [](auto*, CallStream* stream) {
    Single request;
    while (stream->Read(&request)) {
      if (!stream->Write(echo(request))) break;
    }
    return grpc::Status::OK;
  };
  const FakeGateway gateway(behaviour);
  Client client(gateway.url());
  std::vector<Document> documents;
  for (int i = 0; i < 16; ++i) documents.push_back(Document::of_blob(std::string(2 << 20, 'x')));
  const auto answer = client.post("/", documents, {}, {.request_size = 1, .timeout = kPatience});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->size(), 16u);
}

TEST(GrpcClient, FallsBackToSingleRequestsWhereThereIsNoCall) {
  Behaviour behaviour;
  behaviour.has_call = false;
  std::atomic<int> requests = 0;
  behaviour.single = [&](const Single& request, Single* answer) {
    ++requests;
    *answer = echo(request);
    return grpc::Status::OK;
  };
  const FakeGateway gateway(behaviour);
  Client client(gateway.url());
  expect_texts(client.post("/", texts(25), {}, {.request_size = 10}), 25);
  EXPECT_EQ(requests, 3);
  expect_texts(client.post("/", texts(5)), 5);
}

TEST(GrpcClient, CallsBackForEveryRequest) {
  Behaviour behaviour;
  behaviour.call = [](auto*, CallStream* stream) {
    Single request;
    while (stream->Read(&request)) {
      Single answer = echo(request);
      if (request.data().docs().docs(0).text() == "1") {
        auto& status = *answer.mutable_header()->mutable_status();
        status.set_code(jina::StatusProto::ERROR);
        status.set_description("boom");
        status.mutable_exception()->set_executor("Boom");
      }
      stream->Write(answer);
    }
    return grpc::Status::OK;
  };
  const FakeGateway gateway(behaviour);
  Client client(gateway.url());
  std::vector<std::string> log;
  const PostCallbacks callbacks{
      .on_done = [&](const Response& each) { log.push_back("done " + std::to_string(each.index)); },
      .on_error =
          [&](const Response& each) { log.push_back("error " + std::to_string(each.index)); },
      .on_always = [&](const Response&) { log.push_back("always"); }};
  const absl::Status status =
      client.post_each("/", texts(3), callbacks, {}, {.request_size = 1, .timeout = kPatience});
  EXPECT_EQ(status, absl::UnknownError(gateway.url() + ": executor \"Boom\": boom"));
  EXPECT_THAT(log, ElementsAre("done 0", "always", "error 1", "always", "done 2", "always"));
  EXPECT_EQ(client.post("/", texts(3), {}, {.request_size = 1}).status(), status);
}

TEST(GrpcClient, StreamsResponsesOfASourceThatItAsksAsItGoes) {
  Behaviour behaviour;
  behaviour.call = &echo_all;
  const FakeGateway gateway(behaviour);
  Client client(gateway.url());
  int asked = 0;
  ResponseStream responses = client.stream("/",
                                           [&]() -> std::optional<Document> {
                                             ++asked;
                                             return Document::of_text("endless");
                                           },
                                           {}, {.request_size = 1, .prefetch = 4});
  int taken = 0;
  for (const Response& response : responses) {
    ASSERT_TRUE(response.status.ok()) << response.status;
    if (++taken == 10) break;
  }
  EXPECT_LE(asked, 10 + 4);
}

TEST(GrpcClient, SendsUnansweredRequestsAgainOnANewStream) {
  Behaviour behaviour;
  std::atomic<int> calls = 0;
  behaviour.call = [&](auto* context, CallStream* stream) {
    if (++calls > 1) return echo_all(context, stream);
    Single request;
    stream->Read(&request);
    stream->Write(echo(request));
    stream->Read(&request);
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "executor0 may be down");
  };
  const FakeGateway gateway(behaviour);
  Client client(gateway.url(), {.retry = {.attempts = 3, .first_wait = 1ms}});
  expect_texts(client.post("/", texts(5), {}, {.request_size = 1, .timeout = kPatience}), 5);
  EXPECT_EQ(calls, 2);
}

TEST(GrpcClient, DoesNotSendAgainUnlessToldTo) {
  Behaviour behaviour;
  std::atomic<int> calls = 0;
  behaviour.call = [&](auto*, CallStream* stream) {
    ++calls;
    Single request;
    stream->Read(&request);
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "executor0 may be down");
  };
  const FakeGateway gateway(behaviour);
  Client client(gateway.url());
  const auto answer = client.post("/", texts(1), {}, {.timeout = kPatience});
  EXPECT_EQ(answer.status(), absl::UnavailableError(gateway.url() + ": executor0 may be down"));
  EXPECT_EQ(calls, 1);
}

TEST(GrpcClient, TakesAnEmptyAnswerBeforeAnErrorForNoAnswer) {
  Behaviour behaviour;
  behaviour.call = [&](auto*, CallStream* stream) {
    Single request;
    stream->Read(&request);
    Single empty;
    empty.mutable_header()->set_request_id(request.header().request_id());
    stream->Write(empty);
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "executor0 may be down");
  };
  const FakeGateway gateway(behaviour);
  EXPECT_TRUE(absl::IsUnavailable(
      Client(gateway.url()).post("/", texts(1), {}, {.timeout = kPatience}).status()));
}

TEST(GrpcClient, EndsRequestsThatAServerLeavesUnanswered) {
  Behaviour behaviour;
  behaviour.call = [&](auto*, CallStream* stream) {
    Single request;
    stream->Read(&request);
    return grpc::Status::OK;
  };
  const FakeGateway gateway(behaviour);
  const auto answer = Client(gateway.url()).post("/", texts(1), {}, {.timeout = kPatience});
  EXPECT_THAT(std::string(core::message(answer.status())), HasSubstr("left requests unanswered"));
}

TEST(GrpcClient, EndsOneSlowRequestAndNotTheOthers) {
  Behaviour behaviour;
  behaviour.call = [&](auto*, CallStream* stream) {
    Single request;
    while (stream->Read(&request)) {
      if (request.data().docs().docs(0).text() != "1") stream->Write(echo(request));
    }
    return grpc::Status::OK;
  };
  const FakeGateway gateway(behaviour);
  Client client(gateway.url());
  std::vector<absl::StatusCode> codes;
  for (const Response& each :
       client.stream("/", texts(3), {}, {.request_size = 1, .request_timeout = 200ms})) {
    codes.push_back(each.status.code());
  }
  EXPECT_THAT(codes, ElementsAre(absl::StatusCode::kOk, absl::StatusCode::kDeadlineExceeded,
                                 absl::StatusCode::kOk));
}

TEST(GrpcClient, EndsAStreamThatIsGivenUpInTheMiddle) {
  Behaviour behaviour;
  std::promise<bool> cancelled;
  behaviour.call = [&](auto* context, CallStream* stream) {
    Single request;
    while (stream->Read(&request)) stream->Write(echo(request));
    cancelled.set_value(context->IsCancelled());
    return grpc::Status::OK;
  };
  const FakeGateway gateway(behaviour);
  Client client(gateway.url());
  client.stream("/", texts(100), {}, {.request_size = 1}).next();
  auto told = cancelled.get_future();
  ASSERT_EQ(told.wait_for(kPatience), std::future_status::ready);
  EXPECT_TRUE(told.get());
}

TEST(GrpcClient, LetsAStreamOutliveItsClient) {
  Behaviour behaviour;
  behaviour.call = &echo_all;
  const FakeGateway gateway(behaviour);
  ResponseStream responses = [&] {
    Client client(gateway.url());
    return client.stream("/", texts(3), {}, {.request_size = 1});
  }();
  int count = 0;
  for (const Response& each : responses) count += each.status.ok() ? 1 : 0;
  EXPECT_EQ(count, 3);
}

TEST(GrpcClient, RefusesAnswersLargerThanItsLimit) {
  Behaviour behaviour;
  behaviour.call = &echo_all;
  const FakeGateway gateway(behaviour);
  Client client(gateway.url(), {.max_message = 1000});
  const auto answer =
      client.post("/", {Document::of_blob(std::string(2000, 'x'))}, {}, {.timeout = kPatience});
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kResourceExhausted) << answer.status();
}

TEST(GrpcClient, StreamsTheDocumentsThatAnswerOne) {
  Behaviour behaviour;
  behaviour.stream_doc = [](const auto& request, auto* writer) {
    jina::SingleDocumentRequestProto answer = request;
    for (const char* text : {"a", "b"}) {
      answer.mutable_document()->set_text(request.document().text() + text);
      writer->Write(answer);
    }
    return grpc::Status::OK;
  };
  const FakeGateway gateway(behaviour);
  Client client(gateway.url());
  std::vector<std::string> got;
  for (const auto& each : client.stream_doc("/generate", Document::of_text("x"))) {
    ASSERT_TRUE(each.ok()) << each.status();
    got.emplace_back(each->text());
  }
  EXPECT_THAT(got, ElementsAre("xa", "xb"));
}

TEST(GrpcClient, EndsThatStreamWithTheServersError) {
  Behaviour behaviour;
  behaviour.stream_doc = [](const auto& request, auto* writer) {
    writer->Write(request);
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone");
  };
  const FakeGateway gateway(behaviour);
  DocumentStream documents = Client(gateway.url()).stream_doc("/generate", Document());
  EXPECT_TRUE(documents.next()->ok());
  EXPECT_EQ(documents.next()->status(), absl::UnavailableError(gateway.url() + ": gone"));
  EXPECT_FALSE(documents.next());
}

}  // namespace
}  // namespace flow
