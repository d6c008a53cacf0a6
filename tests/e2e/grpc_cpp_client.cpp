// SPDX-License-Identifier: Apache-2.0
// Calls every method of a gateway with gRPC C++ and says what did not go as it should. The test
// that runs it looks at its exit status.
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/grpcpp.h"
#include "jina.grpc.pb.h"

namespace {

int failures = 0;

void expect(bool condition, const char* what, const grpc::Status& status) {
  if (condition) return;
  ++failures;
  std::fprintf(stderr, "%s: status %d, \"%s\"\n", what, status.error_code(),
               status.error_message().c_str());
}

void set_deadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
}

jina::DataRequestProto request_with(const std::string& text) {
  jina::DataRequestProto request;
  request.mutable_header()->set_request_id("cpp");
  request.mutable_data()->mutable_docs()->add_docs()->set_text(text);
  return request;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto channel = grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials());
  {
    grpc::ClientContext context;
    set_deadline(context);
    jina::StatusProto answer;
    const auto status =
        jina::JinaGatewayDryRunRPC::NewStub(channel)->dry_run(&context, {}, &answer);
    expect(status.ok() && answer.ByteSizeLong() == 0, "dry_run", status);
  }
  {
    grpc::ClientContext context;
    set_deadline(context);
    jina::EndpointsProto answer;
    const auto status =
        jina::JinaDiscoverEndpointsRPC::NewStub(channel)->endpoint_discovery(&context, {}, &answer);
    expect(status.ok() && answer.endpoints_size() > 0, "endpoint_discovery", status);
  }
  {
    grpc::ClientContext context;
    set_deadline(context);
    grpc::health::v1::HealthCheckResponse answer;
    const auto health = grpc::health::v1::Health::NewStub(channel);
    const auto status = health->Check(&context, {}, &answer);
    expect(status.ok() && answer.status() == grpc::health::v1::HealthCheckResponse::SERVING,
           "Check", status);

    grpc::ClientContext watch_context;
    set_deadline(watch_context);
    const auto watch = health->Watch(&watch_context, {});
    expect(watch->Read(&answer), "Watch", grpc::Status::OK);
    watch_context.TryCancel();
    expect(watch->Finish().error_code() == grpc::StatusCode::CANCELLED, "Watch", grpc::Status::OK);
  }
  const auto data = jina::JinaSingleDataRequestRPC::NewStub(channel);
  for (const std::size_t size : {0u, 100u, 100'000u, 3'000'000u}) {
    grpc::ClientContext context;
    set_deadline(context);
    const std::string text(size, 'x');
    jina::DataRequestProto answer;
    const auto status = data->process_single_data(&context, request_with(text), &answer);
    expect(status.ok() && answer.data().docs().docs(0).text() == text, "process_single_data",
           status);
  }
  {
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 8; ++caller) {
      callers.emplace_back([&data, caller] {
        for (int i = 0; i < 100; ++i) {
          grpc::ClientContext context;
          set_deadline(context);
          const std::string text = std::to_string(caller) + "/" + std::to_string(i);
          jina::DataRequestProto answer;
          const auto status = data->process_single_data(&context, request_with(text), &answer);
          expect(status.ok() && answer.data().docs().docs(0).text() == text, "many callers",
                 status);
        }
      });
    }
    for (std::thread& caller : callers) caller.join();
  }
  {
    grpc::ClientContext context;
    set_deadline(context);
    jina::DataRequestProto answer;
    const auto status =
        jina::JinaDataRequestRPC::NewStub(channel)->process_data(&context, {}, &answer);
    expect(status.error_code() == grpc::StatusCode::UNIMPLEMENTED, "process_data", status);
  }
  return failures == 0 ? 0 : 1;
}
