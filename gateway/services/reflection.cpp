// SPDX-License-Identifier: Apache-2.0
#include "proto/reflection_answer.hpp"

#include "core/status.hpp"
#include "gateway/services/services.hpp"
#include "grpc/reflection/v1/reflection.pb.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "wire/grpc.hpp"

namespace flow::gateway {
namespace {

// One reflection stream: an answer for each question, in order.
template <typename Request, typename Response>
class ReflectionHandler final : public GrpcHandler {
 public:
  explicit ReflectionHandler(GrpcCall& call) : call_(call) {}

  void on_message(std::string framed) override {
    Request request;
    const std::string_view bytes = wire::payload(framed);
    if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      return call_.finish(core::error(absl::StatusCode::kInvalidArgument,
                                      "cannot parse the request as ServerReflectionRequest"));
    }
    const auto response = proto::reflection_answer<Response>(
        request, *google::protobuf::DescriptorPool::generated_pool(), offered_services());
    call_.send(wire::frame(response.SerializeAsString()));
  }

  void on_end() override { call_.finish(absl::OkStatus()); }
  bool streaming() const override { return true; }
  void on_drain() override { call_.finish(stopping()); }

 private:
  GrpcCall& call_;
};

}  // namespace

std::unique_ptr<GrpcHandler> make_reflection_v1(GrpcCall& call) {
  using namespace grpc::reflection::v1;
  return std::make_unique<ReflectionHandler<ServerReflectionRequest, ServerReflectionResponse>>(
      call);
}

std::unique_ptr<GrpcHandler> make_reflection_v1alpha(GrpcCall& call) {
  using namespace grpc::reflection::v1alpha;
  return std::make_unique<ReflectionHandler<ServerReflectionRequest, ServerReflectionResponse>>(
      call);
}

}  // namespace flow::gateway
