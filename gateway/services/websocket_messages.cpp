// SPDX-License-Identifier: Apache-2.0
#include "gateway/services/websocket_messages.hpp"

#include <utility>

#include "core/status.hpp"
#include "jina.pb.h"
#include "wire/grpc.hpp"

namespace flow::gateway {
namespace {

// What Python clients call it.
std::string_view exception_name(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return "InternalNetworkError";
    case absl::StatusCode::kInvalidArgument:
      return "BadRequestType";
    default:
      return "RuntimeError";
  }
}

}  // namespace

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

WebSocketMessage write_answer(WebSocketKind kind, std::string framed, std::uint64_t) {
  framed.erase(0, wire::kFramePrefix);
  return {.kind = kind, .payload = std::move(framed)};
}

WebSocketMessage write_failure(WebSocketKind kind, std::string_view request_id,
                               const absl::Status& why) {
  const std::string description(core::message(why));
  jina::DataRequestProto answer;
  answer.mutable_header()->set_request_id(std::string(request_id));
  jina::StatusProto& status = *answer.mutable_header()->mutable_status();
  status.set_code(jina::StatusProto::ERROR);
  status.set_description(description);
  status.mutable_exception()->set_name(std::string(exception_name(why.code())));
  status.mutable_exception()->add_args(description);
  return {.kind = kind, .payload = answer.SerializeAsString()};
}

}  // namespace flow::gateway
