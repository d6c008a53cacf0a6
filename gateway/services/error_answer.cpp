// SPDX-License-Identifier: Apache-2.0
#include "gateway/services/error_answer.hpp"

#include "core/status.hpp"
#include "wire/grpc.hpp"

namespace flow::gateway {

jina::StatusProto error_status(const absl::Status& status, const Verdict& verdict) {
  const std::string description(core::message(status));
  jina::StatusProto result;
  result.set_code(jina::StatusProto::ERROR);
  result.set_description(description);
  auto& exception = *result.mutable_exception();
  exception.add_args(description);
  if (status.code() == absl::StatusCode::kUnavailable ||
      status.code() == absl::StatusCode::kDeadlineExceeded) {
    exception.set_name("InternalNetworkError");
    for (const std::string& evidence : verdict.evidence) exception.add_stacks(evidence);
  } else {
    exception.set_name(absl::StatusCodeToString(status.code()));
  }
  return result;
}

std::string error_answer(std::string_view request_id, const absl::Status& status,
                         const Verdict& verdict) {
  jina::DataRequestProto answer;
  auto& header = *answer.mutable_header();
  header.set_request_id(std::string(request_id));
  *header.mutable_status() = error_status(status, verdict);
  return wire::frame(answer.SerializeAsString());
}

}  // namespace flow::gateway
