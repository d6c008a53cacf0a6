// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/status.h"
#include "docarray.pb.h"
#include "flow/client.hpp"
#include "flow/document.hpp"
#include "flow/json.hpp"
#include "jina.pb.h"

// Between the library's values and the wire's messages.
namespace flow::client {

// Takes what it can move. An error if a text is not UTF-8, which no server would take.
absl::Status to_proto(Document document, docarray::DocumentProto& to);
Document from_proto(docarray::DocumentProto&& message);

absl::Status to_proto(const Json::Object& members, google::protobuf::Struct& to);
Json::Object from_proto(const google::protobuf::Struct& message);

// An ERROR as a status that names the executor, if the server does: UNAVAILABLE if the gateway
// could not reach it, UNKNOWN if it failed by itself.
absl::Status status_from(const jina::StatusProto& message);

// An answer; the index is the caller's.
Response response_from(jina::DataRequestProto&& message);

// 32 hexadecimal digits, by chance never given before.
std::string make_id();

}  // namespace flow::client
