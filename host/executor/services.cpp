// SPDX-License-Identifier: Apache-2.0
#include "host/executor/services.hpp"

#include <string_view>
#include <utility>

#include "host/executor/rpc_call.hpp"

namespace flow::host {
namespace {

constexpr std::string_view kBytesUnsupported =
    "documents as docs_bytes are not supported: send them as docs";

// One RPC whose answer is `message`, edited in place. gRPC lets go of it by OnDone, which comes
// after Finish; the plugin's call keeps it as long as the plugin may use the message.
class DataReactor final : public grpc::ServerUnaryReactor, private CallOrigin {
 public:
  DataReactor(const ServiceContext& context, grpc::CallbackServerContext& rpc,
              std::shared_ptr<jina::DataRequestProto> message)
      : context_(context),
        rpc_(rpc),
        kept_message_(std::move(message)),
        message_(*kept_message_),
        call_(context, rpc, message_) {}

  static DataReactor* start(const ServiceContext& context, grpc::CallbackServerContext& rpc,
                            std::shared_ptr<jina::DataRequestProto> message) {
    const auto self = std::make_shared<DataReactor>(context, rpc, std::move(message));
    self->self_ = self;
    self->run();
    return self.get();
  }

 private:
  void run() {
    switch (route(context_.self.plugin, message_)) {
      case Route::Process:
        if (auto refused = call_.submit(*this, nullptr, context_.bytes_max, self_); !refused.ok()) {
          Finish(std::move(refused));
        }
        return;
      case Route::Skip:
        return Finish(grpc::Status::OK);
      case Route::DryRun:
        add_route(context_.self, message_);
        return Finish(grpc::Status::OK);
      case Route::Unsupported:
        return fail(FLOW_UNIMPLEMENTED, kBytesUnsupported);
    }
  }

  void fail(flow_status status, std::string_view text, const std::vector<std::string>& stack = {}) {
    add_route(context_.self, message_);
    set_error(context_.self, status, text, message_, stack);
    // Without what is too much, so that the reason arrives.
    if (message_.ByteSizeLong() > context_.bytes_max) message_.clear_data();
    rpc_.AddTrailingMetadata("is-error", "true");
    Finish(grpc::Status::OK);
  }

  void call_finished(const Outcome& outcome) override {
    if (auto error = call_.transport_error(outcome)) return Finish(*std::move(error));
    if (outcome.status != FLOW_OK) return fail(outcome.status, outcome.text, outcome.stack);
    add_route(context_.self, message_);
    Finish(grpc::Status::OK);
  }

  void call_stopping(Stop stop) override {
    if (stop == Stop::Cut) rpc_.TryCancel();
  }

  void OnCancel() override { call_.caller_left(); }

  void OnDone() override {
    call_.done();
    const auto last = std::move(self_);
  }

  const ServiceContext& context_;
  grpc::CallbackServerContext& rpc_;
  const std::shared_ptr<jina::DataRequestProto> kept_message_;
  jina::DataRequestProto& message_;
  RpcCall call_;
  std::shared_ptr<DataReactor> self_;  // gRPC's hold; the other is the call's
};

template <typename Answer>
grpc::ServerUnaryReactor* answer_at_once(grpc::CallbackServerContext& rpc, Answer computed,
                                         Answer& answer) {
  answer = std::move(computed);
  auto* reactor = rpc.DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

}  // namespace

SingleDataService::SingleDataService(ServiceContext context) : context_(context) {
  SetMessageAllocatorFor_process_single_data(&allocator_);
}

grpc::ServerUnaryReactor* SingleDataService::process_single_data(grpc::CallbackServerContext* rpc,
                                                                 const jina::DataRequestProto*,
                                                                 jina::DataRequestProto*) {
  auto* holder = static_cast<SameMessageAllocator::Holder*>(rpc->GetRpcAllocatorState());
  return DataReactor::start(context_, *rpc, holder->kept_answer());
}

DataService::DataService(ServiceContext context) : context_(context) {
  SetMessageAllocatorFor_process_data(&allocator_);
}

grpc::ServerUnaryReactor* DataService::process_data(grpc::CallbackServerContext* rpc,
                                                    const jina::DataRequestListProto*,
                                                    jina::DataRequestProto* answer) {
  // gRPC hands out the request as const; our own holder, which made it, does not.
  auto* holder = static_cast<ListAllocator::Holder*>(rpc->GetRpcAllocatorState());
  merge(*holder->request(), *answer);
  return DataReactor::start(context_, *rpc, holder->kept_answer());
}

grpc::ServerUnaryReactor* DiscoveryService::endpoint_discovery(grpc::CallbackServerContext* rpc,
                                                               const google::protobuf::Empty*,
                                                               jina::EndpointsProto* answer) {
  return answer_at_once(*rpc, endpoints(self_.plugin), *answer);
}

grpc::ServerUnaryReactor* InfoService::_status(grpc::CallbackServerContext* rpc,
                                               const google::protobuf::Empty*,
                                               jina::JinaInfoProto* answer) {
  const auto uptime =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - started_);
  return answer_at_once(*rpc, info(self_, uptime, core::process_environment()), *answer);
}

}  // namespace flow::host
