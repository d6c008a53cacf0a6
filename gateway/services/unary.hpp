// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "core/status.hpp"
#include "gateway/front/service.hpp"

namespace flow::gateway {

// A method with one request that is answered at once.
class UnaryHandler final : public GrpcHandler {
 public:
  // Takes the framed request, gives the framed answer.
  using Method = std::function<absl::StatusOr<std::string>(const std::string& framed)>;

  UnaryHandler(GrpcCall& call, Method method) : call_(call), method_(std::move(method)) {}

  void on_message(std::string framed) override {
    if (std::exchange(has_request_, true)) return refuse();
    request_ = std::move(framed);
  }

  void on_end() override {
    if (!has_request_) return refuse();
    absl::StatusOr<std::string> answer = method_(request_);
    if (answer.ok()) call_.send(*std::move(answer));
    call_.finish(answer.status());
  }

 private:
  void refuse() {
    call_.finish(
        core::error(absl::StatusCode::kInternal, "this method takes exactly one request message"));
  }

  GrpcCall& call_;
  Method method_;
  bool has_request_ = false;
  std::string request_;
};

}  // namespace flow::gateway
