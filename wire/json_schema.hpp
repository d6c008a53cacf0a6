// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "jina.pb.h"

// Which member of which JSON object is which field of which message. Reader and writer both follow
// these tables, in their order.
namespace flow::wire::schema {

// What a member looks like on both sides. Unless said otherwise the field is what the name says.
enum class Shape : std::uint8_t {
  String,
  Strings,
  Base64,     // bytes
  Count,      // uint32
  Code,       // an enum, as its number
  Float,      // 32 bits
  Floats,     // packed, or not
  Time,       // Timestamp; RFC 3339
  Struct,     // any object
  Tensor,     // NdArrayProto; nested lists of numbers
  Scores,     // map<string, NamedScoreProto>; an object of objects
  Message,    // an object of its own table
  Messages,   // a list of those
  Documents,  // a list of documents
  Data,       // DataContentProto: a list of documents, or {"docs": a list of documents}
};

struct Message;

struct Member {
  std::string_view name;
  std::string_view camel_case;  // what HTTP calls it; empty if nothing else
  Shape shape;
  std::uint32_t number;              // of the field
  const Message* message = nullptr;  // Message, Messages: their table
};

struct Message {
  std::string_view name;  // for errors
  std::span<const Member> members;
};

// No message has more.
constexpr std::size_t kMembersMax = 19;

// Of the entries of a map field.
constexpr std::uint32_t kMapKey = 1, kMapValue = 2;

using Exception = jina::StatusProto::ExceptionProto;
inline constexpr Member kExceptionMembers[] = {
    {"name", "", Shape::String, Exception::kNameFieldNumber},
    {"args", "", Shape::Strings, Exception::kArgsFieldNumber},
    {"stacks", "", Shape::Strings, Exception::kStacksFieldNumber},
    {"executor", "", Shape::String, Exception::kExecutorFieldNumber},
};
inline constexpr Message kException = {"ExceptionProto", kExceptionMembers};

using Status = jina::StatusProto;
inline constexpr Member kStatusMembers[] = {
    {"code", "", Shape::Code, Status::kCodeFieldNumber},
    {"description", "", Shape::String, Status::kDescriptionFieldNumber},
    {"exception", "", Shape::Message, Status::kExceptionFieldNumber, &kException},
};
inline constexpr Message kStatus = {"StatusProto", kStatusMembers};

using Header = jina::HeaderProto;
inline constexpr Member kHeaderMembers[] = {
    {"request_id", "requestId", Shape::String, Header::kRequestIdFieldNumber},
    {"status", "", Shape::Message, Header::kStatusFieldNumber, &kStatus},
    {"exec_endpoint", "execEndpoint", Shape::String, Header::kExecEndpointFieldNumber},
    {"target_executor", "targetExecutor", Shape::String, Header::kTargetExecutorFieldNumber},
};
inline constexpr Message kHeader = {"HeaderProto", kHeaderMembers};

using Route = jina::RouteProto;
inline constexpr Member kRouteMembers[] = {
    {"executor", "", Shape::String, Route::kExecutorFieldNumber},
    {"start_time", "startTime", Shape::Time, Route::kStartTimeFieldNumber},
    {"end_time", "endTime", Shape::Time, Route::kEndTimeFieldNumber},
    {"status", "", Shape::Message, Route::kStatusFieldNumber, &kStatus},
};
inline constexpr Message kRoute = {"RouteProto", kRouteMembers};

using Score = docarray::NamedScoreProto;
inline constexpr Member kScoreMembers[] = {
    {"value", "", Shape::Float, Score::kValueFieldNumber},
    {"op_name", "", Shape::String, Score::kOpNameFieldNumber},
    {"description", "", Shape::String, Score::kDescriptionFieldNumber},
    {"ref_id", "", Shape::String, Score::kRefIdFieldNumber},
};
inline constexpr Message kScore = {"NamedScoreProto", kScoreMembers};

inline constexpr Member kScoreEntryMembers[] = {
    {"key", "", Shape::String, kMapKey},
    {"value", "", Shape::Message, kMapValue, &kScore},
};
inline constexpr Message kScoreEntry = {"NamedScoreProto", kScoreEntryMembers};

// _metadata has no place in JSON.
using Document = docarray::DocumentProto;
inline constexpr Member kDocumentMembers[] = {
    {"id", "", Shape::String, Document::kIdFieldNumber},
    {"parent_id", "", Shape::String, Document::kParentIdFieldNumber},
    {"granularity", "", Shape::Count, Document::kGranularityFieldNumber},
    {"adjacency", "", Shape::Count, Document::kAdjacencyFieldNumber},
    {"blob", "", Shape::Base64, Document::kBlobFieldNumber},
    {"tensor", "", Shape::Tensor, Document::kTensorFieldNumber},
    {"mime_type", "", Shape::String, Document::kMimeTypeFieldNumber},
    {"text", "", Shape::String, Document::kTextFieldNumber},
    {"weight", "", Shape::Float, Document::kWeightFieldNumber},
    {"uri", "", Shape::String, Document::kUriFieldNumber},
    {"tags", "", Shape::Struct, Document::kTagsFieldNumber},
    {"offset", "", Shape::Float, Document::kOffsetFieldNumber},
    {"location", "", Shape::Floats, Document::kLocationFieldNumber},
    {"embedding", "", Shape::Tensor, Document::kEmbeddingFieldNumber},
    {"modality", "", Shape::String, Document::kModalityFieldNumber},
    {"evaluations", "", Shape::Scores, Document::kEvaluationsFieldNumber},
    {"scores", "", Shape::Scores, Document::kScoresFieldNumber},
    {"chunks", "", Shape::Documents, Document::kChunksFieldNumber},
    {"matches", "", Shape::Documents, Document::kMatchesFieldNumber},
};
inline constexpr Message kDocument = {"DocumentProto", kDocumentMembers};

// A document has one content.
constexpr bool is_content(std::uint32_t number) {
  return number == Document::kBlobFieldNumber || number == Document::kTensorFieldNumber ||
         number == Document::kTextFieldNumber;
}

inline constexpr Member kDocumentsMember = {"docs", "", Shape::Documents,
                                            docarray::DocumentArrayProto::kDocsFieldNumber};
inline constexpr Member kDocumentArrayMembers[] = {kDocumentsMember};
inline constexpr Message kDocumentArray = {"DocumentArrayProto", kDocumentArrayMembers};

using Content = jina::DataRequestProto::DataContentProto;
inline constexpr Member kContentMembers[] = {
    {"docs", "", Shape::Message, Content::kDocsFieldNumber, &kDocumentArray},
    {"docs_bytes", "", Shape::Base64, Content::kDocsBytesFieldNumber},
};
inline constexpr Message kContent = {"DataContentProto", kContentMembers};

using Request = jina::DataRequestProto;
inline constexpr Member kRequestHeader = {"header", "", Shape::Message, Request::kHeaderFieldNumber,
                                          &kHeader};
inline constexpr Member kRequestParameters = {"parameters", "", Shape::Struct,
                                              Request::kParametersFieldNumber};
inline constexpr Member kRequestRoutes = {"routes", "", Shape::Messages,
                                          Request::kRoutesFieldNumber, &kRoute};
inline constexpr Member kRequestData = {"data", "", Shape::Data, Request::kDataFieldNumber};
inline constexpr Member kRequestMembers[] = {kRequestHeader, kRequestParameters, kRequestRoutes,
                                             kRequestData};
inline constexpr Message kRequest = {"DataRequestProto", kRequestMembers};

}  // namespace flow::wire::schema
