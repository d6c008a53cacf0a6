// SPDX-License-Identifier: Apache-2.0
#include "gateway/services/error_answer.hpp"

#include <algorithm>

#include "absl/strings/cord.h"
#include "core/status.hpp"
#include "wire/grpc.hpp"

namespace flow::gateway {
namespace {

constexpr absl::string_view kEvidence = "flow/evidence";
constexpr char kSeparator = '\0';

std::vector<std::string> evidence_of(const absl::Status& status) {
  std::vector<std::string> lines;
  const absl::optional<absl::Cord> payload = status.GetPayload(kEvidence);
  if (!payload) return lines;
  const std::string text(*payload);
  for (std::size_t at = 0; at < text.size(); at = text.find(kSeparator, at) + 1) {
    lines.push_back(text.substr(at, text.find(kSeparator, at) - at));
  }
  return lines;
}

}  // namespace

absl::Status with_evidence(absl::Status status, const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) (text += line) += kSeparator;
  if (!text.empty()) status.SetPayload(kEvidence, absl::Cord(text));
  return status;
}

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
    const std::vector<std::string> own = evidence_of(status);
    for (const std::string& line : own) exception.add_stacks(line);
    for (const std::string& line : verdict.evidence) {
      if (std::ranges::find(own, line) == own.end()) exception.add_stacks(line);
    }
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
