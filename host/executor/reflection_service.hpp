// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "grpcpp/grpcpp.h"
#include "proto/reflection_answer.hpp"

namespace flow::host {

// Server reflection over proto/reflection_answer.hpp, for v1 and v1alpha alike: `Messages` names
// the generated types of one of them. libgrpc++_reflection is not linked, since the descriptors
// that it registers clash with ours. Thread-safe.
template <typename Messages>
class ReflectionService final : public Messages::CallbackService {
 public:
  using Request = typename Messages::Request;
  using Response = typename Messages::Response;

  explicit ReflectionService(std::vector<std::string> services) : services_(std::move(services)) {}

 private:
  class Reactor final : public grpc::ServerBidiReactor<Request, Response> {
   public:
    explicit Reactor(const std::vector<std::string>& services) : services_(services) {
      this->StartRead(&request_);
    }

   private:
    void OnReadDone(bool ok) override {
      if (!ok) return this->Finish(grpc::Status::OK);
      response_ = proto::reflection_answer<Response>(
          request_, *google::protobuf::DescriptorPool::generated_pool(), services_);
      this->StartWrite(&response_);
    }
    void OnWriteDone(bool ok) override {
      if (!ok) return this->Finish(grpc::Status::OK);
      this->StartRead(&request_);
    }
    void OnDone() override { delete this; }

    const std::vector<std::string>& services_;
    Request request_;
    Response response_;
  };

  grpc::ServerBidiReactor<Request, Response>* ServerReflectionInfo(
      grpc::CallbackServerContext*) override {
    return new Reactor(services_);
  }

  const std::vector<std::string> services_;
};

}  // namespace flow::host
