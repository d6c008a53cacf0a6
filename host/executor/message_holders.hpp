// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "grpcpp/support/message_allocator.h"
#include "jina.pb.h"

// Where gRPC puts a request's message and takes the response's from. With the stock allocator these
// are two, and every field of an answer would be copied or moved from one to the other
// (docs/decisions/0007-request-message-is-the-response.md).
namespace flow::host {

// What gRPC holds until an RPC is over, and who shares it perhaps longer: a plugin that does not
// let go of its call still writes to the answer. `Messages` has the members `request` and `answer`.
template <typename Request, typename Messages>
class SharedHolder final : public grpc::MessageHolder<Request, jina::DataRequestProto> {
 public:
  static SharedHolder* make() {
    const auto self = std::make_shared<SharedHolder>();
    self->grpcs_ = self;
    return self.get();
  }
  SharedHolder() {
    this->set_request(&messages_.request);
    this->set_response(&messages_.answer);
  }

  std::shared_ptr<jina::DataRequestProto> kept_answer() { return {grpcs_, &messages_.answer}; }
  void Release() override { const auto last = std::move(grpcs_); }

 private:
  Messages messages_;
  std::shared_ptr<SharedHolder> grpcs_;  // until Release()
};

// One message that is both. Thread-safe.
class SameMessageAllocator final
    : public grpc::MessageAllocator<jina::DataRequestProto, jina::DataRequestProto> {
  struct OneMessage {
    jina::DataRequestProto request;
    jina::DataRequestProto& answer = request;
  };

 public:
  using Holder = SharedHolder<jina::DataRequestProto, OneMessage>;
  grpc::MessageHolder<jina::DataRequestProto, jina::DataRequestProto>* AllocateMessages() override {
    return Holder::make();
  }
};

// A list whose documents are moved into the answer. Thread-safe.
class ListAllocator final
    : public grpc::MessageAllocator<jina::DataRequestListProto, jina::DataRequestProto> {
  struct TwoMessages {
    jina::DataRequestListProto request;
    jina::DataRequestProto answer;
  };

 public:
  using Holder = SharedHolder<jina::DataRequestListProto, TwoMessages>;
  grpc::MessageHolder<jina::DataRequestListProto, jina::DataRequestProto>* AllocateMessages()
      override {
    return Holder::make();
  }
};

}  // namespace flow::host
