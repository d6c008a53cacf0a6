// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "google/protobuf/struct.pb.h"
#include "jina.pb.h"

// JSON as HTTP has it. Documents go straight between JSON and the wire form.
namespace flow::client {

// The body of POST /post for a request.
absl::StatusOr<std::string> request_json(const jina::DataRequestProto& request);
// A DataRequestProto from the body of an answer.
absl::StatusOr<jina::DataRequestProto> read_response_json(std::string_view json);

// Small answers that are read whole.
absl::StatusOr<jina::StatusProto> read_status_json(std::string_view json);
absl::StatusOr<google::protobuf::Struct> read_object_json(std::string_view json);

// What an error's body says: `header.status.description`, `description` or `detail`; else the body,
// cut short.
std::string error_text(std::string_view body);

}  // namespace flow::client
