// SPDX-License-Identifier: Apache-2.0
#include "gateway/services/websocket_messages.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "core/status.hpp"
#include "gateway/services/error_answer.hpp"
#include "wire/data_request.hpp"
#include "wire/grpc.hpp"
#include "wire/json_reader.hpp"
#include "wire/json_writer.hpp"

namespace flow::gateway {
namespace {

constexpr std::string_view kBlank = " \t\r\n";

}  // namespace

bool is_last(const WebSocketMessage& message) {
  if (message.kind == WebSocketKind::Binary) return message.payload == std::string_view("\0", 1);
  // No member, whatever the blanks.
  std::string_view rest = message.payload;
  for (const char expected : {'{', '}'}) {
    rest.remove_prefix(std::min(rest.size(), rest.find_first_not_of(kBlank)));
    if (!rest.starts_with(expected)) return false;
    rest.remove_prefix(1);
  }
  return rest.find_first_not_of(kBlank) == std::string_view::npos;
}

absl::StatusOr<std::string> read_request(const WebSocketMessage& message,
                                         const RouteContext& context, std::uint64_t bytes_max) {
  if (message.kind == WebSocketKind::Binary) return wire::frame(message.payload);
  const std::string id = context.new_request_id();
  wire::JsonRequestOptions options;
  options.request_id = id;
  options.data = wire::JsonRequestOptions::Data::Required;
  options.new_document_id = context.new_request_id;
  options.message_max = bytes_max;
  std::string framed;
  if (const auto problem = wire::read_data_request(message.payload, options, framed)) {
    return core::error(absl::StatusCode::kInvalidArgument, wire::describe(*problem));
  }
  return framed;
}

WebSocketMessage write_answer(WebSocketKind kind, std::string framed, std::uint64_t bytes_max,
                              const Verdict& verdict) {
  if (kind == WebSocketKind::Binary) {
    framed.erase(0, wire::kFramePrefix);
    return {.kind = kind, .payload = std::move(framed)};
  }
  std::string json;
  const auto write = [&json, bytes_max](std::string_view message) {
    return wire::write_data_response(wire::payload(message), wire::JsonStyle::WebSocket, json,
                                     bytes_max);
  };
  if (const absl::Status status = write(framed); !status.ok()) {
    const auto view = wire::scan_data_request(wire::payload(framed));
    // Always small and always JSON.
    (void)write(error_answer(view.ok() ? view->request_id : "", status, verdict));
  }
  return {.kind = kind, .payload = std::move(json)};
}

}  // namespace flow::gateway
