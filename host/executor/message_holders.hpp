// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "grpcpp/support/message_allocator.h"
#include "jina.pb.h"

// Where gRPC puts a request's message and takes the response's from. With the stock allocator these
// are two, and every field of an answer would be copied or moved from one to the other
// (docs/decisions/0007-request-message-is-the-response.md).
namespace flow::host {

// One message that is both. Thread-safe.
class SameMessageAllocator final
    : public grpc::MessageAllocator<jina::DataRequestProto, jina::DataRequestProto> {
 public:
  grpc::MessageHolder<jina::DataRequestProto, jina::DataRequestProto>* AllocateMessages() override {
    return new Holder;
  }

 private:
  struct Holder final : grpc::MessageHolder<jina::DataRequestProto, jina::DataRequestProto> {
    Holder() {
      set_request(&message);
      set_response(&message);
    }
    void Release() override { delete this; }
    jina::DataRequestProto message;
  };
};

// A list whose documents are moved into the answer. Thread-safe.
class ListAllocator final
    : public grpc::MessageAllocator<jina::DataRequestListProto, jina::DataRequestProto> {
 public:
  using Holder = grpc::MessageHolder<jina::DataRequestListProto, jina::DataRequestProto>;
  Holder* AllocateMessages() override { return new Pair; }

 private:
  struct Pair final : Holder {
    Pair() {
      set_request(&requests);
      set_response(&answer);
    }
    void Release() override { delete this; }
    jina::DataRequestListProto requests;
    jina::DataRequestProto answer;
  };
};

}  // namespace flow::host
