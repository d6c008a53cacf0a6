// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "gateway/front/service.hpp"

// How an HTTP/1.1 request becomes a WebSocket: RFC 6455, section 4.2.
namespace flow::gateway {

// The fields of a request that decide about it; those that occur several times joined by ", ".
struct WebSocketRequest {
  std::string_view key;            // sec-websocket-key
  std::string_view version;        // sec-websocket-version
  std::string_view sub_protocols;  // sec-websocket-protocol: what the client offers
};

struct WebSocketAccepted {
  std::string_view sub_protocol;  // a literal: "bytes", "json" or nothing
  std::string head;               // of the answer, status 101, as it is sent
};

// Extensions are declined by not naming them: permessage-deflate costs 300 KiB for each connection
// and is of little use to vectors.
std::variant<WebSocketAccepted, HttpResponse> answer_handshake(const WebSocketRequest& request);

}  // namespace flow::gateway
