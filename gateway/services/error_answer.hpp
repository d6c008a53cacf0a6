// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "gateway/readiness/verdict.hpp"
#include "jina.pb.h"

// A request that got no answer, told in a message of the protocol and not by the transport: for
// streams that go on, and for HTTP and WebSocket.
namespace flow::gateway {

// `status` is an error, in words for the caller. If an executor could not be reached or took too
// long, the exception is the reference's InternalNetworkError and its stacks are what the verdict
// has to say about the replicas that are in the way; else it is named as gRPC names the code.
jina::StatusProto error_status(const absl::Status& status, const Verdict& verdict);

// An error of a request with evidence of its own, for people: lines that stand before those of the
// verdict.
absl::Status with_evidence(absl::Status status, const std::vector<std::string>& lines);

// A DataRequestProto, framed, that says so in its header. `request_id` may be empty: unknown.
std::string error_answer(std::string_view request_id, const absl::Status& status,
                         const Verdict& verdict);

}  // namespace flow::gateway
