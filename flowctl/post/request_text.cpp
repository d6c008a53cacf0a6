// SPDX-License-Identifier: Apache-2.0
#include "flowctl/post/request_text.hpp"

#include <utility>

#include "client/src/convert.hpp"
#include "core/status.hpp"
#include "fmt/format.h"
#include "wire/grpc.hpp"
#include "wire/json_cursor.hpp"
#include "wire/json_reader.hpp"
#include "wire/json_writer.hpp"

namespace flow::ctl {
namespace {

void set_time(std::chrono::system_clock::time_point time, google::protobuf::Timestamp& to) {
  const auto since_epoch = time.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  to.set_seconds(seconds.count());
  to.set_nanos(static_cast<std::int32_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(since_epoch - seconds).count()));
}

void set_status(const absl::Status& status, jina::StatusProto& to) {
  to.set_code(jina::StatusProto::ERROR);
  to.set_description(std::string(core::message(status)));
}

// One value of this kind and nothing else, so that it can stand within another text.
absl::Status check_value(std::string_view json, wire::JsonCursor::Kind kind) {
  wire::JsonCursor cursor(json);
  if (cursor.expect(kind)) cursor.skip();
  if (cursor.finish()) return absl::OkStatus();
  return core::error(absl::StatusCode::kInvalidArgument, wire::describe(cursor.problem()));
}

absl::StatusOr<jina::DataRequestProto> read_message(std::string_view json) {
  wire::JsonRequestOptions options;
  options.new_document_id = client::make_id;
  std::string framed;
  if (const auto problem = wire::read_data_request(json, options, framed)) {
    return core::error(absl::StatusCode::kInvalidArgument, wire::describe(*problem));
  }
  jina::DataRequestProto message;
  const std::string_view payload = wire::payload(framed);
  if (!message.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    return core::error(absl::StatusCode::kInvalidArgument, "the documents nest too deep");
  }
  return message;
}

}  // namespace

PostTarget split_endpoint(std::string_view text) {
  const std::size_t scheme = text.find("://");
  const std::size_t slash = text.find('/', scheme == text.npos ? 0 : scheme + 3);
  if (slash == text.npos) return {std::string(text), "/"};
  return {std::string(text.substr(0, slash)), std::string(text.substr(slash))};
}

absl::StatusOr<PostRequest> read_request(std::string_view json) {
  std::string body(json);
  if (wire::JsonCursor(json).kind() == wire::JsonCursor::Kind::List) {
    FLOW_RETURN_IF_ERROR(check_value(json, wire::JsonCursor::Kind::List));
    body = fmt::format("{{\"data\":{}}}", json);
  }
  FLOW_ASSIGN_OR_RETURN(jina::DataRequestProto message, read_message(body));
  PostRequest request;
  request.endpoint = message.header().exec_endpoint();
  request.target_executor = message.header().target_executor();
  request.parameters = client::from_proto(message.parameters());
  for (auto& document : *message.mutable_data()->mutable_docs()->mutable_docs()) {
    request.documents.push_back(client::from_proto(std::move(document)));
  }
  return request;
}

absl::StatusOr<Json::Object> read_parameters(std::string_view json) {
  FLOW_RETURN_IF_ERROR(check_value(json, wire::JsonCursor::Kind::Object));
  FLOW_ASSIGN_OR_RETURN(const jina::DataRequestProto message,
                        read_message(fmt::format("{{\"parameters\":{}}}", json)));
  return client::from_proto(message.parameters());
}

absl::StatusOr<std::string> response_json(const Response& response, std::string_view endpoint) {
  jina::DataRequestProto message;
  auto& header = *message.mutable_header();
  header.set_request_id(response.request_id);
  header.set_exec_endpoint(std::string(endpoint));
  if (!response.status.ok()) set_status(response.status, *header.mutable_status());
  FLOW_RETURN_IF_ERROR(client::to_proto(response.parameters, *message.mutable_parameters()));
  for (const RouteStep& step : response.routes) {
    auto& route = *message.add_routes();
    route.set_executor(step.executor);
    if (step.start) set_time(*step.start, *route.mutable_start_time());
    if (step.end) set_time(*step.end, *route.mutable_end_time());
    if (!step.status.ok()) set_status(step.status, *route.mutable_status());
  }
  auto& documents = *message.mutable_data()->mutable_docs();
  for (const Document& document : response.documents) {
    FLOW_RETURN_IF_ERROR(client::to_proto(document, *documents.add_docs()));
  }
  std::string json;
  FLOW_RETURN_IF_ERROR(
      wire::write_data_response(message.SerializeAsString(), wire::JsonStyle::Http, json));
  return json;
}

}  // namespace flow::ctl
