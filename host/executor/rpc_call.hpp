// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "google/protobuf/struct.pb.h"
#include "grpcpp/grpcpp.h"
#include "host/executor/call.hpp"
#include "host/executor/service_context.hpp"
#include "jina.pb.h"

namespace flow::host {

// The plugin's call behind one RPC, whatever the RPC's shape: what it asks comes from `message` and
// from gRPC's context, which must both stay until done(). A call that was given up outlives its
// RPC: so the message, and this, have to stay for as long as somebody has what submit() was given
// to keep. Thread-safe after submit().
class RpcCall {
 public:
  RpcCall(const ServiceContext& context, grpc::CallbackServerContext& rpc,
          jina::DataRequestProto& message);
  RpcCall(const RpcCall&) = delete;
  RpcCall& operator=(const RpcCall&) = delete;

  // Queues the call; `origin` hears of its end, perhaps before this returns. An error, with nothing
  // queued and the caller told so, if there are too many calls or the executor stops. `bytes_max`
  // bounds what the plugin sets and what it emits.
  grpc::Status submit(CallOrigin& origin, CallStream* stream, std::uint64_t bytes_max,
                      std::shared_ptr<const void> keep);

  // The status to end the RPC with if the call ended because of its caller, its deadline or our
  // own stop, or was given up, and not by the plugin's judgement: that is the transport's to say.
  // nullopt: the outcome is an answer, good or bad.
  std::optional<grpc::Status> transport_error(const Outcome& outcome);

  // gRPC says that the caller is gone.
  void caller_left();
  // Once the RPC is over.
  void done();

  bool is_cancelled() const { return call_ != nullptr && call_->is_cancelled(); }
  std::uint64_t deadline_ns() const { return call_->spec().deadline_ns; }

 private:
  const ServiceContext context_;
  grpc::CallbackServerContext& rpc_;
  jina::DataRequestProto& message_;
  const std::string trace_;
  std::optional<google::protobuf::Struct> parameters_;  // unless they are the message's own
  Call* call_ = nullptr;
};

}  // namespace flow::host
