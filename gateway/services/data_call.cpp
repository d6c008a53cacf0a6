// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "gateway/services/services.hpp"
#include "gateway/services/traversal.hpp"
#include "gateway/services/unary.hpp"

namespace flow::gateway {
namespace {

// jina.JinaSingleDataRequestRPC/process_single_data. It goes away as a whole when the caller does.
class DataCall final : public OneRequestHandler {
 public:
  DataCall(ServiceContext& context, GrpcCall& call)
      : OneRequestHandler(call), traversal_(context) {}

 private:
  void on_request(std::string framed) override {
    traversal_.start(std::move(framed), call().deadline(),
                     [this](absl::StatusOr<std::string> answer) {
                       if (answer.ok()) call().send(*std::move(answer));
                       call().finish(answer.status());
                     });
  }

  Traversal traversal_;
};

}  // namespace

std::unique_ptr<GrpcHandler> make_data_call(ServiceContext& context, GrpcCall& call) {
  return std::make_unique<DataCall>(context, call);
}

}  // namespace flow::gateway
