// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

// What the WebSocket protocol calls and the services implement, as service.hpp does for the others.
namespace flow::gateway {

// RFC 6455, 7.4.1.
enum class CloseCode : std::uint16_t {
  Normal = 1000,
  GoingAway = 1001,
  ProtocolError = 1002,
  BadPayload = 1007,
  Policy = 1008,
  TooBig = 1009,
  InternalError = 1011,
  TryAgainLater = 1013,
};

enum class WebSocketKind { Text, Binary };

// Text is UTF-8.
struct WebSocketMessage {
  WebSocketKind kind;
  std::string payload;
};

// One WebSocket as its handler sees it. Valid as long as the handler lives.
class WebSocket {
 public:
  virtual ~WebSocket() = default;
  // Queues one message.
  virtual void send(WebSocketMessage message) = 0;
  // Closes once everything is sent; nothing may be sent after it. What is longer than the 123 bytes
  // that a reason may have is cut.
  virtual void close(CloseCode code, std::string_view reason) = 0;
  // The handler wants messages again, after its wants_message() said no.
  virtual void input_wanted() = 0;
};

// The service's side of one WebSocket. Destroyed when the WebSocket is closed, by whom ever, or its
// connection lost. So the destructor is where work for nobody is stopped.
class WebSocketHandler {
 public:
  virtual ~WebSocketHandler() = default;
  virtual void on_message(WebSocketMessage message) = 0;
  // Asked before each message. While the answer is no, the client is held back by TCP's flow
  // control. So it is while many of the answers to it are unread.
  virtual bool wants_message() { return true; }
  // The gateway is stopping: finish what there is, then close.
  virtual void drain() = 0;
};

class WebSockets {
 public:
  virtual ~WebSockets() = default;
  // Is there one at this path? The path has no query.
  virtual bool serves(std::string_view path) const = 0;
  // The handler of a path that is served; `sub_protocol` is what was agreed on: "bytes", "json" or
  // nothing. It may send and close at once.
  virtual std::unique_ptr<WebSocketHandler> open(std::string_view path,
                                                 std::string_view sub_protocol,
                                                 WebSocket& socket) = 0;
};

}  // namespace flow::gateway
