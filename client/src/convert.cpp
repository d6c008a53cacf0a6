// SPDX-License-Identifier: Apache-2.0
#include "client/src/convert.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"
#include "google/protobuf/repeated_field.h"

namespace flow::client {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;

// What libprotobuf reads back: it gives up on messages nested deeper than this.
constexpr int kDepthMax = 100;

absl::Status check_text(std::string_view text, std::string_view what) {
  if (core::is_valid_utf8(text)) return absl::OkStatus();
  return core::error(
      absl::StatusCode::kInvalidArgument,
      fmt::format("{} is not UTF-8: {}; bytes go into a Blob", what, core::in_quotes(text)));
}

absl::Status too_deep(std::string_view what) {
  return core::error(absl::StatusCode::kInvalidArgument,
                     fmt::format("{} nest deeper than {} levels", what, kDepthMax));
}

absl::Status put_members(const Json::Object& members, int depth, Struct& to);

absl::Status put_value(const Json& json, int depth, Value& to) {
  if (depth > kDepthMax) return too_deep("JSON values");
  if (json.is_null()) {
    to.set_null_value(google::protobuf::NULL_VALUE);
  } else if (json.is_bool()) {
    to.set_bool_value(json.boolean());
  } else if (json.is_number()) {
    to.set_number_value(json.number());
  } else if (json.is_text()) {
    FLOW_RETURN_IF_ERROR(check_text(json.text(), "a JSON string"));
    to.set_string_value(std::string(json.text()));
  } else if (json.is_object()) {
    return put_members(json.object(), depth, *to.mutable_struct_value());
  } else {
    auto& list = *to.mutable_list_value();
    for (const Json& item : json.array()) {
      FLOW_RETURN_IF_ERROR(put_value(item, depth + 2, *list.add_values()));
    }
  }
  return absl::OkStatus();
}

absl::Status put_members(const Json::Object& members, int depth, Struct& to) {
  auto& fields = *to.mutable_fields();
  for (const auto& [key, value] : members) {
    FLOW_RETURN_IF_ERROR(check_text(key, "a JSON key"));
    FLOW_RETURN_IF_ERROR(put_value(value, depth + 2, fields[key]));
  }
  return absl::OkStatus();
}

Json json_of(const Value& value) {
  switch (value.kind_case()) {
    case Value::kBoolValue:
      return value.bool_value();
    case Value::kNumberValue:
      return value.number_value();
    case Value::kStringValue:
      return value.string_value();
    case Value::kStructValue:
      return from_proto(value.struct_value());
    case Value::kListValue: {
      Json::Array items;
      items.reserve(static_cast<std::size_t>(value.list_value().values_size()));
      for (const Value& item : value.list_value().values()) items.push_back(json_of(item));
      return items;
    }
    case Value::kNullValue:
    case Value::KIND_NOT_SET:
      break;
  }
  return nullptr;
}

using Shape = google::protobuf::RepeatedField<std::uint32_t>;

void put_dense(std::string dtype, const std::vector<std::uint32_t>& shape, std::string data,
               docarray::DenseNdArrayProto& to) {
  to.set_dtype(std::move(dtype));
  *to.mutable_shape() = Shape(shape.begin(), shape.end());
  to.set_buffer(std::move(data));
}

absl::Status put_array(NdArray array, docarray::NdArrayProto& to) {
  FLOW_RETURN_IF_ERROR(check_text(array.dtype, "a dtype"));
  FLOW_RETURN_IF_ERROR(check_text(array.cls_name, "a cls_name"));
  to.set_cls_name(std::move(array.cls_name));
  if (!array.parameters.empty()) {
    FLOW_RETURN_IF_ERROR(to_proto(array.parameters, *to.mutable_parameters()));
  }
  if (!array.coordinates) {
    put_dense(std::move(array.dtype), array.shape, std::move(array.data), *to.mutable_dense());
    return absl::OkStatus();
  }
  NdArray::Coordinates& coordinates = *array.coordinates;
  auto& sparse = *to.mutable_sparse();
  put_dense(std::move(array.dtype), coordinates.values_shape, std::move(array.data),
            *sparse.mutable_values());
  put_dense(std::move(coordinates.dtype), coordinates.shape, std::move(coordinates.data),
            *sparse.mutable_indices());
  *sparse.mutable_shape() = Shape(array.shape.begin(), array.shape.end());
  return absl::OkStatus();
}

NdArray array_of(docarray::NdArrayProto&& message) {
  NdArray array;
  array.cls_name = std::move(*message.mutable_cls_name());
  array.parameters = from_proto(message.parameters());
  if (message.has_sparse()) {
    auto& sparse = *message.mutable_sparse();
    auto& values = *sparse.mutable_values();
    auto& indices = *sparse.mutable_indices();
    array.dtype = std::move(*values.mutable_dtype());
    array.data = std::move(*values.mutable_buffer());
    array.shape.assign(sparse.shape().begin(), sparse.shape().end());
    array.coordinates = NdArray::Coordinates{
        .dtype = std::move(*indices.mutable_dtype()),
        .shape = {indices.shape().begin(), indices.shape().end()},
        .data = std::move(*indices.mutable_buffer()),
        .values_shape = {values.shape().begin(), values.shape().end()},
    };
    return array;
  }
  auto& dense = *message.mutable_dense();
  array.dtype = std::move(*dense.mutable_dtype());
  array.data = std::move(*dense.mutable_buffer());
  array.shape.assign(dense.shape().begin(), dense.shape().end());
  return array;
}

using ScoreMap = google::protobuf::Map<std::string, docarray::NamedScoreProto>;

absl::Status put_scores(const std::map<std::string, Score>& scores, ScoreMap& to) {
  for (const auto& [name, score] : scores) {
    for (const std::string* text : {&name, &score.op_name, &score.description, &score.ref_id}) {
      FLOW_RETURN_IF_ERROR(check_text(*text, "a score's text"));
    }
    docarray::NamedScoreProto& message = to[name];
    message.set_value(score.value);
    message.set_op_name(score.op_name);
    message.set_description(score.description);
    message.set_ref_id(score.ref_id);
  }
  return absl::OkStatus();
}

std::map<std::string, Score> scores_of(const ScoreMap& messages) {
  std::map<std::string, Score> scores;
  for (const auto& [name, message] : messages) {
    scores[name] = {message.value(), message.op_name(), message.description(), message.ref_id()};
  }
  return scores;
}

absl::Status put_content(Document::Content content, docarray::DocumentProto& to) {
  if (auto* text = std::get_if<std::string>(&content)) {
    FLOW_RETURN_IF_ERROR(check_text(*text, "a document's text"));
    to.set_text(std::move(*text));
  } else if (auto* blob = std::get_if<Blob>(&content)) {
    to.set_blob(std::move(blob->bytes));
  } else if (auto* tensor = std::get_if<NdArray>(&content)) {
    return put_array(std::move(*tensor), *to.mutable_tensor());
  }
  return absl::OkStatus();
}

absl::Status put_document(Document document, int depth, docarray::DocumentProto& to) {
  if (depth > kDepthMax) return too_deep("documents");
  for (const std::string* text : {&document.id, &document.uri, &document.mime_type,
                                  &document.modality, &document.parent_id}) {
    FLOW_RETURN_IF_ERROR(check_text(*text, "a document's member"));
  }
  FLOW_RETURN_IF_ERROR(put_content(std::move(document.content), to));
  if (document.embedding) {
    FLOW_RETURN_IF_ERROR(put_array(*std::move(document.embedding), *to.mutable_embedding()));
  }
  if (!document.tags.empty()) {
    FLOW_RETURN_IF_ERROR(put_members(document.tags, depth, *to.mutable_tags()));
  }
  if (!document.metadata.empty()) {
    FLOW_RETURN_IF_ERROR(put_members(document.metadata, depth, *to.mutable__metadata()));
  }
  FLOW_RETURN_IF_ERROR(put_scores(document.scores, *to.mutable_scores()));
  FLOW_RETURN_IF_ERROR(put_scores(document.evaluations, *to.mutable_evaluations()));
  for (Document& chunk : document.chunks) {
    FLOW_RETURN_IF_ERROR(put_document(std::move(chunk), depth + 1, *to.add_chunks()));
  }
  for (Document& match : document.matches) {
    FLOW_RETURN_IF_ERROR(put_document(std::move(match), depth + 1, *to.add_matches()));
  }
  to.set_id(std::move(document.id));
  to.set_uri(std::move(document.uri));
  to.set_mime_type(std::move(document.mime_type));
  to.set_modality(std::move(document.modality));
  to.set_parent_id(std::move(document.parent_id));
  to.set_weight(document.weight);
  to.set_granularity(document.granularity);
  to.set_adjacency(document.adjacency);
  to.set_offset(document.offset);
  *to.mutable_location() = {document.location.begin(), document.location.end()};
  return absl::OkStatus();
}

std::vector<Document> documents_of(
    google::protobuf::RepeatedPtrField<docarray::DocumentProto>&& messages) {
  std::vector<Document> documents;
  documents.reserve(static_cast<std::size_t>(messages.size()));
  for (docarray::DocumentProto& message : messages) {
    documents.push_back(from_proto(std::move(message)));
  }
  return documents;
}

std::optional<std::chrono::system_clock::time_point> time_of(
    bool present, const google::protobuf::Timestamp& message) {
  if (!present) return std::nullopt;
  // A server may send any number; the clock counts nanoseconds, until the year 2262.
  constexpr std::int64_t kSecondsMax = 9'000'000'000;
  return std::chrono::system_clock::time_point(
      std::chrono::seconds(std::clamp<std::int64_t>(message.seconds(), 0, kSecondsMax)) +
      std::chrono::nanoseconds(std::clamp(message.nanos(), 0, 999'999'999)));
}

// The documents of a message, whichever of the two ways they came.
absl::Status take_documents(jina::DataRequestProto::DataContentProto& data,
                            std::vector<Document>& to) {
  if (data.has_docs_bytes()) {
    docarray::DocumentArrayProto array;
    if (!array.ParseFromString(data.docs_bytes())) {
      return core::error(absl::StatusCode::kInternal,
                         "the answer's docs_bytes are no docarray.DocumentArrayProto");
    }
    *data.mutable_docs() = std::move(array);
  }
  to = documents_of(std::move(*data.mutable_docs()->mutable_docs()));
  return absl::OkStatus();
}

}  // namespace

absl::Status to_proto(Document document, docarray::DocumentProto& to) {
  return put_document(std::move(document), 0, to);
}

Document from_proto(docarray::DocumentProto&& message) {
  Document document;
  document.id = std::move(*message.mutable_id());
  switch (message.content_case()) {
    case docarray::DocumentProto::kBlob:
      document.content = Blob{std::move(*message.mutable_blob())};
      break;
    case docarray::DocumentProto::kTensor:
      document.content = array_of(std::move(*message.mutable_tensor()));
      break;
    case docarray::DocumentProto::kText:
      document.content = std::move(*message.mutable_text());
      break;
    case docarray::DocumentProto::CONTENT_NOT_SET:
      break;
  }
  if (message.has_embedding())
    document.embedding = array_of(std::move(*message.mutable_embedding()));
  document.tags = from_proto(message.tags());
  document.metadata = from_proto(message._metadata());
  document.scores = scores_of(message.scores());
  document.evaluations = scores_of(message.evaluations());
  document.chunks = documents_of(std::move(*message.mutable_chunks()));
  document.matches = documents_of(std::move(*message.mutable_matches()));
  document.uri = std::move(*message.mutable_uri());
  document.mime_type = std::move(*message.mutable_mime_type());
  document.modality = std::move(*message.mutable_modality());
  document.parent_id = std::move(*message.mutable_parent_id());
  document.weight = message.weight();
  document.granularity = message.granularity();
  document.adjacency = message.adjacency();
  document.offset = message.offset();
  document.location.assign(message.location().begin(), message.location().end());
  return document;
}

absl::Status to_proto(const Json::Object& members, Struct& to) {
  return put_members(members, 0, to);
}

Json::Object from_proto(const Struct& message) {
  Json::Object members;
  for (const auto& [key, value] : message.fields()) members.emplace(key, json_of(value));
  return members;
}

absl::Status status_from(const jina::StatusProto& message) {
  if (message.code() == jina::StatusProto::SUCCESS) return absl::OkStatus();
  const auto code = message.exception().name() == "InternalNetworkError"
                        ? absl::StatusCode::kUnavailable
                        : absl::StatusCode::kUnknown;
  const std::string& description =
      message.description().empty() ? message.exception().name() : message.description();
  const std::string& executor = message.exception().executor();
  return core::error(code, executor.empty()
                               ? description
                               : fmt::format("executor \"{}\": {}", executor, description));
}

Response response_from(jina::DataRequestProto&& message) {
  Response response;
  response.request_id = message.header().request_id();
  response.status = status_from(message.header().status());
  const absl::Status documents = take_documents(*message.mutable_data(), response.documents);
  if (response.status.ok()) response.status = documents;
  response.parameters = from_proto(message.parameters());
  for (const jina::RouteProto& route : message.routes()) {
    response.routes.push_back({.executor = route.executor(),
                               .start = time_of(route.has_start_time(), route.start_time()),
                               .end = time_of(route.has_end_time(), route.end_time()),
                               .status = status_from(route.status())});
  }
  return response;
}

std::string make_id() {
  // From the kernel: no two processes get the same, not even after a fork.
  std::array<std::uint64_t, 2> random{};
  if (::getentropy(random.data(), sizeof random) != 0) std::abort();  // it cannot fail for 16 bytes
  return fmt::format("{:016x}{:016x}", random[0], random[1]);
}

}  // namespace flow::client
