// SPDX-License-Identifier: Apache-2.0
#include "client/src/json.hpp"

#include <google/protobuf/util/json_util.h>

#include "client/src/convert.hpp"
#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"
#include "wire/grpc.hpp"
#include "wire/json_problem.hpp"
#include "wire/json_reader.hpp"
#include "wire/json_writer.hpp"

namespace flow::client {
namespace {

absl::Status unexpected(std::string_view json, std::string_view expected) {
  return core::error(absl::StatusCode::kInternal, fmt::format("the server answered {}, expected {}",
                                                              core::in_quotes(json), expected));
}

std::string text_of(const Json& json) { return std::string(json.text()); }

}  // namespace

absl::StatusOr<std::string> request_json(const jina::DataRequestProto& request) {
  std::string json;
  FLOW_RETURN_IF_ERROR(wire::write_data_request(request.SerializeAsString(), json));
  return json;
}

absl::StatusOr<jina::DataRequestProto> read_response_json(std::string_view json) {
  std::string framed;
  if (const auto problem = wire::read_data_response(json, framed)) {
    return core::error(
        absl::StatusCode::kInternal,
        fmt::format("the server answered {}: {}", core::in_quotes(json), wire::describe(*problem)));
  }
  const std::string_view message = wire::payload(framed);
  jina::DataRequestProto response;
  if (response.ParseFromArray(message.data(), static_cast<int>(message.size()))) return response;
  return unexpected(json, "an answer that protobuf can read");
}

absl::StatusOr<jina::StatusProto> read_status_json(std::string_view json) {
  FLOW_ASSIGN_OR_RETURN(const auto parsed, read_object_json(json));
  const Json object = from_proto(parsed);
  const Json& code = object["code"];
  jina::StatusProto status;
  // Whatever is not clearly success must not read like it.
  if (!code.is_number() && code.text() != "SUCCESS" && code.text() != "ERROR") {
    return unexpected(json, "a JSON object with \"code\" 0 or 1");
  }
  if (code.number() != 0 || code.text() == "ERROR") status.set_code(jina::StatusProto::ERROR);
  status.set_description(text_of(object["description"]));
  const Json& exception = object["exception"];
  if (exception.is_object()) {
    auto& to = *status.mutable_exception();
    to.set_name(text_of(exception["name"]));
    to.set_executor(text_of(exception["executor"]));
    for (const Json& each : exception["args"].array()) to.add_args(text_of(each));
    for (const Json& each : exception["stacks"].array()) to.add_stacks(text_of(each));
  }
  return status;
}

absl::StatusOr<google::protobuf::Struct> read_object_json(std::string_view json) {
  google::protobuf::Struct object;
  const auto status = google::protobuf::util::JsonStringToMessage(
      google::protobuf::StringPiece(json.data(), json.size()), &object);
  if (!status.ok()) return unexpected(json, "a JSON object");
  return object;
}

std::string error_text(std::string_view body) {
  const auto parsed = read_object_json(body);
  if (!parsed.ok()) return body.empty() ? "no more was said" : core::in_quotes(body);
  const Json object = from_proto(*parsed);
  const Json& detail = object["detail"];
  for (const Json* each :
       {&object["header"]["status"]["description"], &object["description"], &detail,
        detail.array().empty() ? &object["reason"] : &detail.array().front()["msg"]}) {
    if (!each->text().empty()) return std::string(each->text());
  }
  return core::in_quotes(body);
}

}  // namespace flow::client
