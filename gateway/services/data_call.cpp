// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "core/status.hpp"
#include "gateway/services/services.hpp"
#include "gateway/services/traversal.hpp"

namespace flow::gateway {
namespace {

// jina.JinaSingleDataRequestRPC/process_single_data. It goes away as a whole when the caller does.
class DataCall final : public GrpcHandler {
 public:
  DataCall(ServiceContext& context, GrpcCall& call) : call_(call), traversal_(context) {}

  void on_message(std::string framed) override {
    if (std::exchange(has_request_, true)) return refuse();
    request_ = std::move(framed);
  }

  void on_end() override {
    if (!has_request_) return refuse();
    traversal_.start(std::move(request_), call_.deadline(),
                     [this](absl::StatusOr<std::string> answer) {
                       if (answer.ok()) call_.send(*std::move(answer));
                       call_.finish(answer.status());
                     });
  }

 private:
  void refuse() {
    call_.finish(core::error(absl::StatusCode::kInternal,
                             "process_single_data takes exactly one request message"));
  }

  GrpcCall& call_;
  bool has_request_ = false;
  std::string request_;
  Traversal traversal_;
};

}  // namespace

std::unique_ptr<GrpcHandler> make_data_call(ServiceContext& context, GrpcCall& call) {
  return std::make_unique<DataCall>(context, call);
}

}  // namespace flow::gateway
