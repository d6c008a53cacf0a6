// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "gateway/front/websocket.hpp"
#include "gateway/route/route.hpp"

// Data requests and their answers as WebSocket messages: JSON in text messages, serialised
// jina.DataRequestProto in binary ones. "Framed" is as in wire/grpc.hpp.
namespace flow::gateway {

// Is it the client's word for "no more requests": `{}`, or a single zero byte?
bool is_last(const WebSocketMessage& message);

// The request in a message, framed. The error says what is wrong and where. A binary message is not
// looked into.
absl::StatusOr<std::string> read_request(const WebSocketMessage& message,
                                         const RouteContext& context);

// A framed answer in the form in which its request came. One that has no JSON form becomes an error
// that says so, as does one with more than `bytes_max` bytes of JSON.
WebSocketMessage write_answer(WebSocketKind kind, std::string framed, std::uint64_t bytes_max);

// The answer to a request that could not be answered: header.status says why.
WebSocketMessage write_failure(WebSocketKind kind, std::string_view request_id,
                               const absl::Status& why);

}  // namespace flow::gateway
