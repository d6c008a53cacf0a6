// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "core/limits.hpp"
#include "gateway/services/services.hpp"
#include "gateway/services/stream_traversal.hpp"
#include "gateway/services/unary.hpp"

namespace flow::gateway {
namespace {

// jina.JinaSingleDocumentRequestRPC/stream_doc: one document in, a stream of them out.
class DocumentStream final : public OneRequestHandler, private StreamTraversal::Listener {
 public:
  DocumentStream(ServiceContext& context, GrpcCall& call)
      : OneRequestHandler(call), traversal_(context) {}

  void on_sent() override { traversal_.part_wanted(); }

 private:
  void on_request(std::string framed) override {
    traversal_.start(std::move(framed), call().deadline(), *this);
  }
  void on_part(std::string framed) override { call().send(std::move(framed)); }
  bool wants_part() override {
    return call().unsent() <= static_cast<std::size_t>(core::limits::kStreamWindow);
  }
  void on_done(const absl::Status& status) override { call().finish(status); }

  StreamTraversal traversal_;
};

}  // namespace

std::unique_ptr<GrpcHandler> make_document_stream(ServiceContext& context, GrpcCall& call) {
  return std::make_unique<DocumentStream>(context, call);
}

}  // namespace flow::gateway
