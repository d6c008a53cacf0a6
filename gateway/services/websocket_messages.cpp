// SPDX-License-Identifier: Apache-2.0
#include "gateway/services/websocket_messages.hpp"

#include <utility>

#include "core/status.hpp"
#include "wire/grpc.hpp"

namespace flow::gateway {

bool is_last(const WebSocketMessage& message) {
  if (message.kind == WebSocketKind::Binary) return message.payload == std::string_view("\0", 1);
  std::string marks;
  for (const char c : std::string_view(message.payload).substr(0, 64)) {
    if (c != ' ' && c != '\t' && c != '\n' && c != '\r') marks += c;
  }
  return marks == "{}";
}

absl::StatusOr<std::string> read_request(const WebSocketMessage& message, const RouteContext&) {
  if (message.kind == WebSocketKind::Binary) return wire::frame(message.payload);
  return core::error(absl::StatusCode::kUnimplemented, "JSON is not served yet");
}

WebSocketMessage write_answer(WebSocketKind kind, std::string framed, std::uint64_t,
                              const Verdict&) {
  framed.erase(0, wire::kFramePrefix);
  return {.kind = kind, .payload = std::move(framed)};
}

}  // namespace flow::gateway
