// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

#include "grpcpp/grpcpp.h"
#include "host/executor/message_holders.hpp"
#include "host/executor/service_context.hpp"
#include "jina.grpc.pb.h"

// What an executor serves with one answer to one request, on gRPC's callback API. Nothing here
// waits, and nothing runs a plugin's code: a request that is for the plugin becomes a call in the
// dispatcher's queue. A plugin that streams has its parts collected, in order, in the one answer.
namespace flow::host {

class SingleDataService final : public jina::JinaSingleDataRequestRPC::CallbackService {
 public:
  explicit SingleDataService(ServiceContext context);

 private:
  grpc::ServerUnaryReactor* process_single_data(grpc::CallbackServerContext* rpc,
                                                const jina::DataRequestProto* request,
                                                jina::DataRequestProto* answer) override;

  ServiceContext context_;
  SameMessageAllocator allocator_;
};

class DataService final : public jina::JinaDataRequestRPC::CallbackService {
 public:
  explicit DataService(ServiceContext context);

 private:
  grpc::ServerUnaryReactor* process_data(grpc::CallbackServerContext* rpc,
                                         const jina::DataRequestListProto* requests,
                                         jina::DataRequestProto* answer) override;

  ServiceContext context_;
  ListAllocator allocator_;
};

class DiscoveryService final : public jina::JinaDiscoverEndpointsRPC::CallbackService {
 public:
  explicit DiscoveryService(const Identity& self) : self_(self) {}

 private:
  grpc::ServerUnaryReactor* endpoint_discovery(grpc::CallbackServerContext* rpc,
                                               const google::protobuf::Empty* request,
                                               jina::EndpointsProto* answer) override;

  const Identity& self_;
};

class InfoService final : public jina::JinaInfoRPC::CallbackService {
 public:
  explicit InfoService(const Identity& self) : self_(self) {}

 private:
  grpc::ServerUnaryReactor* _status(grpc::CallbackServerContext* rpc,
                                    const google::protobuf::Empty* request,
                                    jina::JinaInfoProto* answer) override;

  const Identity& self_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

}  // namespace flow::host
