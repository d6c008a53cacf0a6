// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "grpcpp/grpcpp.h"
#include "host/executor/service_context.hpp"
#include "jina.grpc.pb.h"

namespace flow::host {

// One document in, a stream of documents out (docs/decisions/0012-streamed-answers.md).
//
// The plugin is asked with the request's document alone. Each document that it emits is a message
// with the request's id and endpoint; when process() returns, so is each that the response then
// holds. So a plugin that does not stream answers with its documents, edited or not, and one that
// does has at the end only what it appended after its last emit. An executor that does not serve
// the endpoint sends the document back.
//
// A plugin's error is the last message: no document, header.status ERROR, gRPC's own status OK and
// the trailer is-error, as in a unary answer. gRPC's status is for what is not the plugin's
// judgement: DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED if too much is in hand, UNAVAILABLE if the
// executor stops; a stream that ends with one of these lacks something.
//
// A plugin that emits faster than the client reads waits in call_emit, with at most
// kStreamQueueMax messages made in advance. A client that takes none for too long is cut off.
class StreamService final : public jina::JinaSingleDocumentRequestRPC::CallbackService {
 public:
  explicit StreamService(ServiceContext context) : context_(context) {}

 private:
  grpc::ServerWriteReactor<jina::SingleDocumentRequestProto>* stream_doc(
      grpc::CallbackServerContext* rpc, const jina::SingleDocumentRequestProto* request) override;

  ServiceContext context_;
};

}  // namespace flow::host
