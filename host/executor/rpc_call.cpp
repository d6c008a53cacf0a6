// SPDX-License-Identifier: Apache-2.0
#include "host/executor/rpc_call.hpp"

#include <utility>

#include "fmt/format.h"
#include "grpc/support/time.h"
#include "host/executor/clock.hpp"
#include "host/executor/parameters.hpp"

namespace flow::host {
namespace {

// The caller's deadline on CLOCK_MONOTONIC; UINT64_MAX if it set none.
std::uint64_t deadline_of(const grpc::CallbackServerContext& rpc) {
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

std::string traceparent(const grpc::CallbackServerContext& rpc) {
  const auto found = rpc.client_metadata().find("traceparent");
  if (found == rpc.client_metadata().end()) return {};
  return {found->second.data(), found->second.size()};
}

// Tells a gateway that the plugin has not seen the call: it may be sent elsewhere.
void mark_not_started(grpc::CallbackServerContext& rpc) {
  rpc.AddTrailingMetadata("flow-not-started", "true");
}

grpc::Status is_stopping(const Identity& self) {
  return {grpc::StatusCode::UNAVAILABLE, fmt::format("{} is stopping", self.name())};
}

}  // namespace

RpcCall::RpcCall(const ServiceContext& context, grpc::CallbackServerContext& rpc,
                 jina::DataRequestProto& message)
    : context_(context), rpc_(rpc), message_(message), trace_(traceparent(rpc)) {}

grpc::Status RpcCall::submit(CallOrigin& origin, CallStream* stream, std::uint64_t bytes_max,
                             std::shared_ptr<const void> keep) {
  parameters_ = parameters_for(context_.self.executor, message_.parameters());
  const CallSpec spec{&origin,
                      stream,
                      &message_,
                      parameters_ ? &*parameters_ : nullptr,
                      endpoint(message_),
                      trace_,
                      deadline_of(rpc_),
                      bytes_max,
                      std::move(keep)};
  call_ = context_.pool.take(spec);
  if (call_ != nullptr) {
    context_.dispatcher.submit(*call_);
    return grpc::Status::OK;
  }
  mark_not_started(rpc_);
  if (context_.pool.is_closed()) return is_stopping(context_.self);
  return {grpc::StatusCode::RESOURCE_EXHAUSTED,
          fmt::format("{} has {} requests in hand already: try again later", context_.self.name(),
                      context_.pool.in_use_max())};
}

std::optional<grpc::Status> RpcCall::transport_error(const Outcome& outcome) {
  if (outcome.started == Outcome::Started::No) {
    mark_not_started(rpc_);
    return grpc::Status(static_cast<grpc::StatusCode>(outcome.status), outcome.text);
  }
  if (outcome.held == Outcome::Held::Yes) {
    return grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, outcome.text);
  }
  // The caller is about to see its deadline pass itself; whoever is first, it is told the same,
  // also if the plugin took the end of its time for the end of its work.
  if (monotonic_ns() >= deadline_ns()) {
    return grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "Deadline Exceeded");
  }
  if (outcome.status != FLOW_CANCELLED && outcome.status != FLOW_DEADLINE_EXCEEDED) {
    return std::nullopt;
  }
  if (call_->is_stopping()) return is_stopping(context_.self);
  return std::nullopt;
}

void RpcCall::caller_left() {
  if (call_ != nullptr && call_->caller_left()) context_.attendant.cancel(*call_);
}

void RpcCall::done() {
  if (call_ != nullptr) call_->origin_left();
}

}  // namespace flow::host
