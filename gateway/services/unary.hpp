// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "core/status.hpp"
#include "gateway/front/service.hpp"

namespace flow::gateway {

// A method with one request, whenever and with however much it is answered.
class OneRequestHandler : public GrpcHandler {
 public:
  explicit OneRequestHandler(GrpcCall& call) : call_(call) {}

  void on_message(std::string framed) final {
    if (std::exchange(has_request_, true)) return refuse();
    request_ = std::move(framed);
  }

  void on_end() final {
    if (!has_request_) return refuse();
    on_request(std::move(request_));
  }

 protected:
  // Once, unless the caller got it wrong.
  virtual void on_request(std::string framed) = 0;
  GrpcCall& call() { return call_; }

 private:
  void refuse() {
    call_.finish(
        core::error(absl::StatusCode::kInternal, "this method takes exactly one request message"));
  }

  GrpcCall& call_;
  bool has_request_ = false;
  std::string request_;
};

// A method with one request that is answered at once.
class UnaryHandler final : public OneRequestHandler {
 public:
  // Takes the framed request, gives the framed answer.
  using Method = std::function<absl::StatusOr<std::string>(const std::string& framed)>;

  UnaryHandler(GrpcCall& call, Method method)
      : OneRequestHandler(call), method_(std::move(method)) {}

 private:
  void on_request(std::string framed) override {
    absl::StatusOr<std::string> answer = method_(framed);
    if (answer.ok()) call().send(*std::move(answer));
    call().finish(answer.status());
  }

  const Method method_;
};

}  // namespace flow::gateway
