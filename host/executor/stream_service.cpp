// SPDX-License-Identifier: Apache-2.0
#include "host/executor/stream_service.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "core/limits.hpp"
#include "fmt/format.h"
#include "host/executor/clock.hpp"
#include "host/executor/rpc_call.hpp"

namespace flow::host {
namespace {

using docarray::DocumentProto;
using Message = jina::SingleDocumentRequestProto;

// The request as a plugin is asked: with a list of documents, which has this one. Takes what it
// needs out of the request.
jina::DataRequestProto with_one_document(Message& request) {
  jina::DataRequestProto result;
  result.mutable_header()->Swap(request.mutable_header());
  result.mutable_parameters()->Swap(request.mutable_parameters());
  auto& documents = *result.mutable_data()->mutable_docs()->mutable_docs();
  if (request.has_document()) {
    documents.AddAllocated(request.release_document());
  } else {
    documents.Add();  // absent means empty, as everywhere in protobuf
  }
  return result;
}

// A message of the answer, without what it says.
Message envelope(const jina::HeaderProto& asked) {
  Message message;
  auto& header = *message.mutable_header();
  header.set_request_id(asked.request_id());
  if (asked.has_exec_endpoint()) header.set_exec_endpoint(asked.exec_endpoint());
  return message;
}

// What a document may have for its message to have no more than `bytes_max`.
std::uint64_t document_bytes_max(const Message& envelope, std::uint64_t bytes_max) {
  constexpr std::uint64_t kTagAndLength = 6;
  const std::uint64_t others = envelope.ByteSizeLong() + kTagAndLength;
  return bytes_max > others ? bytes_max - others : 0;
}

// One RPC. Messages wait in a queue, of which the first is being written; the plugin's thread puts
// them in and gRPC's take them out. gRPC lets go of the reactor by OnDone, which comes after
// Finish, and that when the queue is empty after the plugin's call has ended or was given up. The
// call keeps the reactor as long as the plugin may use it.
class StreamReactor final : public grpc::ServerWriteReactor<Message>,
                            private CallOrigin,
                            private CallStream {
 public:
  StreamReactor(const ServiceContext& context, grpc::CallbackServerContext& rpc, Message& request)
      : context_(context),
        rpc_(rpc),
        message_(with_one_document(request)),
        asked_document_(&message_.data().docs().docs(0)),
        envelope_(envelope(message_.header())),
        document_bytes_max_(document_bytes_max(envelope_, context.bytes_max)),
        call_(context, rpc, message_) {}

  static StreamReactor* start(const ServiceContext& context, grpc::CallbackServerContext& rpc,
                              Message& request) {
    const auto self = std::make_shared<StreamReactor>(context, rpc, request);
    self->self_ = self;
    self->run();
    return self.get();
  }

 private:
  void run() {
    switch (route(context_.self.plugin, message_)) {
      case Route::Process:
        if (auto refused = call_.submit(*this, this, document_bytes_max_, self_); !refused.ok()) {
          end(std::move(refused));
        }
        return;
      case Route::Skip:
      case Route::DryRun:
      case Route::Unsupported:  // a form that a single document has not
        return send_rest();
    }
  }

  // ---- by the plugin's thread

  flow_status write(Part part) override {
    for (auto& document : part) {
      std::unique_lock lock(mutex_);
      if (!wait_for_room(lock)) {
        for (auto& lost : part) keep_if_asked(std::move(lost));
        return FLOW_CANCELLED;
      }
      queue_.push_back(in_envelope(std::move(document)));
      proceed(std::move(lock));
    }
    return FLOW_OK;
  }

  // False: nobody will take the next message. Once the end is queued the RPC may be gone.
  bool wait_for_room(std::unique_lock<std::mutex>& lock) {
    const auto is_lost = [this] { return broken_ || end_ || call_.is_cancelled(); };
    const auto stalled = monotonic_ns() + static_cast<std::uint64_t>(context_.stream_stall.count());
    const auto until = std::chrono::nanoseconds(std::min(stalled, call_.deadline_ns()));
    const bool woken = changed_.wait_until(lock, std::chrono::steady_clock::time_point(until), [&] {
      return queue_.size() < core::limits::kStreamQueueMax || is_lost();
    });
    if (is_lost()) return false;
    if (woken) return true;
    context_.pool.logger().warn(
        "request \"{}\": its client took no part of the answer for {} s and is cut off",
        message_.header().request_id(),
        std::chrono::duration<double>(context_.stream_stall).count());
    rpc_.TryCancel();
    return false;
  }

  void call_finished(const Outcome& outcome) override {
    if (auto error = call_.transport_error(outcome)) return end(*std::move(error));
    if (outcome.status != FLOW_OK) return fail(outcome.status, outcome.text, outcome.stack);
    send_rest();
  }

  // Without waiting: these documents are there already.
  void send_rest() {
    auto& documents = *message_.mutable_data()->mutable_docs()->mutable_docs();
    for (const auto& document : documents) {
      if (const auto size = document.ByteSizeLong(); size > document_bytes_max_) {
        return fail(FLOW_RESOURCE_EXHAUSTED,
                    fmt::format("a document of the answer has {} bytes, but only {} fit into a "
                                "message (gateway.max_message)",
                                size, document_bytes_max_));
      }
    }
    std::vector<DocumentProto*> rest(static_cast<std::size_t>(documents.size()));
    if (!rest.empty()) documents.ExtractSubrange(0, documents.size(), rest.data());
    std::vector<std::unique_ptr<Message>> last;
    for (auto* document : rest)
      last.push_back(in_envelope(std::unique_ptr<DocumentProto>(document)));
    end(grpc::Status::OK, std::move(last));
  }

  void fail(flow_status status, std::string_view text, const std::vector<std::string>& stack = {}) {
    auto message = std::make_unique<Message>(envelope_);
    *message->mutable_header()->mutable_status() =
        error_status(context_.self, endpoint(message_), status, text, stack);
    rpc_.AddTrailingMetadata("is-error", "true");
    std::vector<std::unique_ptr<Message>> last;
    last.push_back(std::move(message));
    end(grpc::Status::OK, std::move(last));
  }

  // Behind everything that is in the queue.
  void end(grpc::Status status, std::vector<std::unique_ptr<Message>> last = {}) {
    std::unique_lock lock(mutex_);
    if (!broken_) {
      for (auto& message : last) queue_.push_back(std::move(message));
    }
    end_ = std::move(status);
    proceed(std::move(lock));
  }

  // ---- by gRPC's threads, and the one that stops the executor

  void OnWriteDone(bool ok) override {
    std::unique_lock lock(mutex_);
    writing_ = false;
    if (!ok) broken_ = true;
    // Of a stream that is broken nothing more can be written.
    do {
      keep_if_asked(std::unique_ptr<DocumentProto>(queue_.front()->release_document()));
      queue_.pop_front();
    } while (broken_ && !queue_.empty());
    changed_.notify_all();
    proceed(std::move(lock));
  }

  void OnCancel() override {
    call_.caller_left();
    wake();
  }

  void call_stopping(Stop stop) override {
    wake();
    if (stop == Stop::Cut) rpc_.TryCancel();
  }

  void OnDone() override {
    call_.done();
    const auto last = std::move(self_);
  }

  // ---- by all of them

  // A wait that has just looked at what changed must have begun before it is told.
  void wake() {
    { const std::lock_guard lock(mutex_); }
    changed_.notify_all();
  }

  // Does what is next, unless something is under way. Without the lock: after Finish there may be
  // none.
  void proceed(std::unique_lock<std::mutex> lock) {
    if (writing_) return;
    if (!queue_.empty()) {
      writing_ = true;
      const Message* next = queue_.front().get();
      lock.unlock();
      StartWrite(next);
    } else if (end_) {
      const grpc::Status status = *end_;
      lock.unlock();
      Finish(status);
    }
  }

  std::unique_ptr<Message> in_envelope(std::unique_ptr<DocumentProto> document) const {
    auto message = std::make_unique<Message>(envelope_);
    message->set_allocated_document(document.release());
    return message;
  }

  // The plugin's views of the request last as long as its call; other documents are not looked at
  // any more.
  void keep_if_asked(std::unique_ptr<DocumentProto> document) {
    if (document != nullptr && document.get() == asked_document_) kept_ = std::move(document);
  }

  const ServiceContext context_;
  grpc::CallbackServerContext& rpc_;
  jina::DataRequestProto message_;
  const DocumentProto* const asked_document_;
  const Message envelope_;
  const std::uint64_t document_bytes_max_;
  RpcCall call_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Message>> queue_;
  bool writing_ = false;
  bool broken_ = false;
  std::optional<grpc::Status> end_;
  std::unique_ptr<DocumentProto> kept_;

  std::shared_ptr<StreamReactor> self_;  // gRPC's hold; the other is the call's
};

}  // namespace

grpc::ServerWriteReactor<Message>* StreamService::stream_doc(grpc::CallbackServerContext* rpc,
                                                             const Message* request) {
  // gRPC hands out the request as const; it made it for this call, and it is not const.
  return StreamReactor::start(context_, *rpc, const_cast<Message&>(*request));
}

}  // namespace flow::host
