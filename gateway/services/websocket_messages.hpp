// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "gateway/front/websocket.hpp"
#include "gateway/readiness/verdict.hpp"
#include "gateway/route/route.hpp"

// Data requests and their answers as WebSocket messages: JSON in text messages, serialised
// jina.DataRequestProto in binary ones. "Framed" is as in wire/grpc.hpp.
namespace flow::gateway {

// Is it the client's word for "no more requests": `{}`, or a single zero byte?
bool is_last(const WebSocketMessage& message);

// The request in a message, framed. The error says what is wrong and where. A binary message is not
// looked into. At most `bytes_max` bytes; JSON gets longer by the ids that its documents lack.
absl::StatusOr<std::string> read_request(const WebSocketMessage& message,
                                         const RouteContext& context, std::uint64_t bytes_max);

// A framed answer in the form in which its request came. One that has no JSON form, or more than
// `bytes_max` bytes of it, becomes an error that says so.
WebSocketMessage write_answer(WebSocketKind kind, std::string framed, std::uint64_t bytes_max,
                              const Verdict& verdict);

}  // namespace flow::gateway
