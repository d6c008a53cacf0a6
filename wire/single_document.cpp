// SPDX-License-Identifier: Apache-2.0
#include "wire/single_document.hpp"

#include <optional>

#include "core/status.hpp"
#include "fmt/format.h"
#include "wire/data_request.hpp"
#include "wire/grpc.hpp"
#include "wire/protobuf.hpp"

namespace flow::wire {
namespace {

// Field numbers of jina.proto and docarray.proto.
constexpr std::uint32_t kData = 4;      // or the document
constexpr std::uint32_t kDocs = 1;      // of DataContentProto: the DocumentArrayProto
constexpr std::uint32_t kDocument = 1;  // of DocumentArrayProto

constexpr std::size_t field_size(std::size_t payload) { return 1 + varint_size(payload) + payload; }

void append_tag(std::string& out, std::uint32_t number, std::size_t size) {
  append_varint(out, number << 3 | 2);
  append_varint(out, size);
}

absl::Status malformed(std::string_view what) {
  return core::error(absl::StatusCode::kInvalidArgument, what);
}

// All fields but the data, and the data's payload.
struct Parts {
  std::string others;
  std::optional<std::string_view> data;
};

absl::StatusOr<Parts> cut(std::string_view message) {
  Parts parts;
  WireReader reader(message);
  while (const auto field = reader.next()) {
    if (field->number != kData) {
      parts.others.append(field->whole);
    } else if (field->type != WireType::Bytes || parts.data) {
      return malformed("request: field 4 occurs twice or is of another type");
    } else {
      parts.data = field->bytes;
    }
  }
  if (reader.malformed()) return malformed("request: not a protobuf message");
  return parts;
}

// The one document of a DataContentProto, and how many there are.
struct Documents {
  std::string_view first;
  std::size_t count = 0;
};

absl::StatusOr<Documents> documents_of(std::string_view data) {
  Documents documents;
  WireReader outer(data);
  while (const auto docs = outer.next()) {
    if (docs->number != kDocs || docs->type != WireType::Bytes) continue;
    WireReader inner(docs->bytes);
    while (const auto document = inner.next()) {
      if (document->number != kDocument || document->type != WireType::Bytes) continue;
      if (documents.count++ == 0) documents.first = document->bytes;
    }
    if (inner.malformed()) return malformed("DocumentArrayProto: not a protobuf message");
  }
  if (outer.malformed()) return malformed("DataContentProto: not a protobuf message");
  return documents;
}

}  // namespace

absl::StatusOr<std::string> data_request_of(std::string_view single_document_request) {
  FLOW_ASSIGN_OR_RETURN(Parts parts, cut(single_document_request));
  // Absent means empty, as everywhere in protobuf.
  const std::string_view document = parts.data.value_or("");
  const std::size_t array = field_size(document.size());
  const std::size_t content = field_size(array);
  std::string framed;
  framed.reserve(kFramePrefix + parts.others.size() + field_size(content));
  framed.append(kFramePrefix, '\0').append(parts.others);
  append_tag(framed, kData, content);
  append_tag(framed, kDocs, array);
  append_bytes_field(framed, kDocument, document);
  write_frame_prefix(framed);
  return framed;
}

absl::StatusOr<std::string> single_document_of(std::string_view data_request) {
  FLOW_ASSIGN_OR_RETURN(Parts parts, cut(data_request));
  FLOW_ASSIGN_OR_RETURN(const DataRequestView view, scan_data_request(data_request));
  std::string framed;
  framed.append(kFramePrefix, '\0').append(parts.others);
  if (!view.is_error()) {
    FLOW_ASSIGN_OR_RETURN(const Documents documents, documents_of(parts.data.value_or("")));
    if (documents.count != 1) {
      return core::error(
          absl::StatusCode::kUnimplemented,
          fmt::format("{} documents where one was expected: a stream starts from one document",
                      documents.count));
    }
    append_bytes_field(framed, kData, documents.first);
  }
  write_frame_prefix(framed);
  return framed;
}

}  // namespace flow::wire
