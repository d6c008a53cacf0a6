// SPDX-License-Identifier: Apache-2.0
#include "host/executor/services.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "fmt/format.h"
#include "grpc/support/time.h"
#include "host/executor/clock.hpp"
#include "host/executor/parameters.hpp"

namespace flow::host {
namespace {

// The caller's deadline on CLOCK_MONOTONIC; UINT64_MAX if it set none.
std::uint64_t deadline_ns(const grpc::CallbackServerContext& rpc) {
  const gpr_timespec deadline = rpc.raw_deadline();
  if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0) return UINT64_MAX;
  const gpr_timespec monotonic = gpr_convert_clock_type(deadline, GPR_CLOCK_MONOTONIC);
  if (monotonic.tv_sec < 0) return 0;
  constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
  constexpr std::int64_t kSecondsMax = UINT64_MAX / kNsPerSecond - 1;
  if (monotonic.tv_sec > kSecondsMax) return UINT64_MAX;  // grpc-timeout reaches 11'000 years
  return static_cast<std::uint64_t>(monotonic.tv_sec) * kNsPerSecond +
         static_cast<std::uint64_t>(monotonic.tv_nsec);
}

std::string_view traceparent(const grpc::CallbackServerContext& rpc) {
  const auto found = rpc.client_metadata().find("traceparent");
  if (found == rpc.client_metadata().end()) return {};
  return {found->second.data(), found->second.size()};
}

// One RPC whose answer is `message`, edited in place. gRPC deletes it by OnDone, which comes after
// Finish; the plugin's call does not outlive it unless cancel() is still running.
class DataReactor final : public grpc::ServerUnaryReactor, private CallOrigin {
 public:
  DataReactor(const ServiceContext& context, grpc::CallbackServerContext& rpc,
              jina::DataRequestProto& message)
      : context_(context), rpc_(rpc), message_(message) {}

  void run() {
    switch (route(context_.self.plugin, message_)) {
      case Route::Process:
        return process();
      case Route::Skip:
        return Finish(grpc::Status::OK);
      case Route::DryRun:
        add_route(context_.self, message_);
        return Finish(grpc::Status::OK);
      case Route::Unsupported:
        return fail(FLOW_UNIMPLEMENTED,
                    "documents as docs_bytes are not supported: send them as docs");
    }
  }

 private:
  void process() {
    parameters_ = parameters_for(context_.self.executor, message_.parameters());
    const CallSpec spec{this,
                        &message_,
                        parameters_ ? &*parameters_ : nullptr,
                        endpoint(message_),
                        traceparent(rpc_),
                        deadline_ns(rpc_),
                        context_.bytes_max};
    call_ = context_.pool.take(spec);
    if (call_ != nullptr) return context_.dispatcher.submit(*call_);
    if (context_.pool.is_closed()) {
      return Finish(
          {grpc::StatusCode::UNAVAILABLE, fmt::format("{} is stopping", context_.self.name())});
    }
    Finish({grpc::StatusCode::RESOURCE_EXHAUSTED,
            fmt::format("{} has {} requests in hand already: try again later", context_.self.name(),
                        context_.pool.in_use_max())});
  }

  void fail(flow_status status, std::string_view text) {
    add_route(context_.self, message_);
    set_error(context_.self, status, text, message_);
    rpc_.AddTrailingMetadata("is-error", "true");
    Finish(grpc::Status::OK);
  }

  void call_finished(const Outcome& outcome) override {
    if (outcome.started == Outcome::Started::No) {
      return Finish({static_cast<grpc::StatusCode>(outcome.status), outcome.text});
    }
    if (gave_up_in_time(outcome.status)) {
      return Finish({grpc::StatusCode::DEADLINE_EXCEEDED, "the deadline passed in process()"});
    }
    if (outcome.status != FLOW_OK) return fail(outcome.status, outcome.text);
    add_route(context_.self, message_);
    Finish(grpc::Status::OK);
  }

  // The plugin heeded the deadline. Its caller is about to see that itself; whoever is first, it is
  // told the same.
  bool gave_up_in_time(flow_status status) const {
    return (status == FLOW_CANCELLED || status == FLOW_DEADLINE_EXCEEDED) &&
           monotonic_ns() >= call_->spec().deadline_ns;
  }

  void OnCancel() override {
    if (call_ != nullptr && call_->caller_left()) context_.attendant.cancel(*call_);
  }

  void OnDone() override {
    if (call_ != nullptr) call_->release();
    delete this;
  }

  const ServiceContext& context_;
  grpc::CallbackServerContext& rpc_;
  jina::DataRequestProto& message_;
  std::optional<google::protobuf::Struct> parameters_;  // unless they are the message's own
  Call* call_ = nullptr;
};

grpc::ServerUnaryReactor* answer_data(const ServiceContext& context,
                                      grpc::CallbackServerContext& rpc,
                                      jina::DataRequestProto& message) {
  auto* reactor = new DataReactor(context, rpc, message);
  reactor->run();
  return reactor;
}

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
                                                                 jina::DataRequestProto* answer) {
  return answer_data(context_, *rpc, *answer);  // which is the request
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
  return answer_data(context_, *rpc, *answer);
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
