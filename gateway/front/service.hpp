// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gateway/net/loop.hpp"

// What the protocols call and the services implement. No protocol knows a service, no service
// knows on which protocol it is asked.
namespace flow::gateway {

// One gRPC call as its method sees it. Valid as long as the handler lives.
class GrpcCall {
 public:
  virtual ~GrpcCall() = default;
  // Queues one framed message.
  virtual void send(std::string framed) = 0;
  // Ends the call; nothing may be sent after it. Once only.
  virtual void finish(const absl::Status& status) = 0;
  // From grpc-timeout.
  virtual std::optional<Clock::time_point> deadline() const = 0;
};

// The method's side of one call. Destroyed when the call is over, however it ended: answered,
// cancelled, or its connection lost. So the destructor is where work for nobody is stopped.
class GrpcHandler {
 public:
  virtual ~GrpcHandler() = default;
  virtual void on_message(std::string framed) = 0;
  // The caller will send no more messages.
  virtual void on_end() = 0;
  // May the caller stay silent for as long as it likes?
  virtual bool streaming() const { return false; }
};

class GrpcServices {
 public:
  virtual ~GrpcServices() = default;
  // The handler of "/package.Service/method"; nullptr if there is no such method.
  virtual std::unique_ptr<GrpcHandler> open(std::string_view path, GrpcCall& call) = 0;
};

struct HttpRequest {
  std::string_view method;
  std::string_view target;  // path and query
};

struct HttpResponse {
  int status = 200;
  std::string body = {};
  std::string_view content_type = "application/json";
  std::vector<std::pair<std::string_view, std::string_view>> headers = {};  // lower-case names
};

class HttpRoutes {
 public:
  virtual ~HttpRoutes() = default;
  virtual HttpResponse answer(const HttpRequest& request) = 0;
};

// What a session answers with, and the bounds it keeps.
struct Front {
  GrpcServices& grpc;
  HttpRoutes& http;
  std::uint64_t message_max;  // bytes of one gRPC message
};

}  // namespace flow::gateway
