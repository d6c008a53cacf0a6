// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gateway/front/header_fields.hpp"
#include "gateway/net/loop.hpp"

// What the protocols call and the services implement. No protocol knows a service, no service
// knows on which protocol it is asked.
namespace flow::gateway {

class WebSockets;

// ---- gRPC ---------------------------------------------------------------------------------------

// One gRPC call as its method sees it. Valid as long as the handler lives.
class GrpcCall {
 public:
  virtual ~GrpcCall() = default;
  // Queues one framed message.
  virtual void send(std::string framed) = 0;
  // Ends the call; nothing may be sent after it. Once only.
  virtual void finish(const absl::Status& status) = 0;
  // The handler wants messages again, after its wants_message() said no.
  virtual void input_wanted() = 0;
  // From grpc-timeout.
  virtual std::optional<Clock::time_point> deadline() const = 0;
  virtual const HeaderFields& metadata() const = 0;
  // Bytes of answers that the caller has not taken yet.
  virtual std::size_t unsent() const = 0;
  // Counts bytes that a streaming handler keeps for this call beyond on_message(), together with
  // what its connection holds already. False, and nothing counted: they are too many.
  virtual bool hold(std::uint64_t bytes) = 0;
  virtual void let_go(std::uint64_t bytes) = 0;
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
  // Asked before each message. While the answer is no, the caller is held back by HTTP/2's flow
  // control. So it is while many of the answers to it are unread.
  virtual bool wants_message() { return true; }
  // The caller has taken some of what was sent.
  virtual void on_sent() {}
  // The gateway stops: what is underway is finished, what would go on for ever ends itself.
  virtual void on_drain() {}
};

class GrpcServices {
 public:
  virtual ~GrpcServices() = default;
  // The handler of "/package.Service/method"; nullptr if there is no such method.
  virtual std::unique_ptr<GrpcHandler> open(std::string_view path, GrpcCall& call) = 0;
};

// ---- HTTP ---------------------------------------------------------------------------------------

struct HttpRequest {
  std::string_view method;
  std::string_view target;  // path and query
  const HeaderFields& headers;
  std::string body;
};

struct HttpResponse {
  int status = 200;
  std::string body = {};
  std::string_view content_type = "application/json";
  std::vector<std::pair<std::string_view, std::string>> headers = {};  // lower-case names
};

// One HTTP request as its handler sees it. Valid as long as the handler lives.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;
  // The whole answer. Once, and instead of start().
  virtual void respond(HttpResponse response) = 0;
  // An answer whose length is not known yet: start, any number of send, end. The head's body is
  // its first piece.
  virtual void start(HttpResponse head) = 0;
  virtual void send(std::string piece) = 0;
  virtual void end() = 0;
  // Bytes of the answer that the client has not taken yet.
  virtual std::size_t unsent() const = 0;
};

// What answers a request later than at once. Destroyed when the exchange is over, however it ended.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  // The client has taken some of what was sent.
  virtual void on_sent() {}
};

class HttpRoutes {
 public:
  virtual ~HttpRoutes() = default;
  // Responds at once and gives nullptr, or gives what will respond. The request's views are valid
  // during the call, its body is the callee's.
  virtual std::unique_ptr<HttpHandler> open(HttpRequest request, HttpExchange& exchange) = 0;
};

// What a session answers with, and the bounds it keeps.
struct Front {
  GrpcServices& grpc;
  HttpRoutes& http;
  std::uint64_t message_max;         // bytes of one gRPC or WebSocket message or HTTP body
  WebSockets* websockets = nullptr;  // front/websocket.hpp; nullptr: there are none
};

}  // namespace flow::gateway
