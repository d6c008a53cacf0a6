// SPDX-License-Identifier: Apache-2.0
#include "wire/json_writer.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <iterator>
#include <optional>

#include "core/status.hpp"
#include "fmt/format.h"
#include "wire/json_schema.hpp"
#include "wire/json_struct.hpp"
#include "wire/json_tensor.hpp"
#include "wire/json_text.hpp"
#include "wire/json_time.hpp"
#include "wire/protobuf.hpp"

namespace flow::wire {
namespace {

using schema::Member;
using schema::Shape;

absl::Status malformed(std::string_view message, std::string_view what) {
  return core::error(absl::StatusCode::kInvalidArgument, fmt::format("{}: {}", message, what));
}

absl::Status not_a_message(std::string_view message) {
  return malformed(message, "not a protobuf message");
}

constexpr bool is_repeated(Shape shape) {
  switch (shape) {
    case Shape::Strings:
    case Shape::Floats:
    case Shape::Scores:
    case Shape::Messages:
    case Shape::Documents:
      return true;
    default:
      return false;
  }
}

constexpr bool is_of_type(Shape shape, WireType type) {
  switch (shape) {
    case Shape::Count:
    case Shape::Code:
      return type == WireType::Varint;
    case Shape::Float:
      return type == WireType::Fixed32;
    case Shape::Floats:
      return type == WireType::Fixed32 || type == WireType::Bytes;
    default:
      return type == WireType::Bytes;
  }
}

// The fields of one message, by the index of their member; of repeated ones the first.
struct Fields {
  std::array<WireField, schema::kMembersMax> first;
  std::uint32_t seen = 0;

  bool has(std::size_t member) const { return (seen >> member & 1) != 0; }
};

absl::StatusOr<Fields> cut(const schema::Message& message, std::string_view bytes) {
  Fields fields;
  WireReader reader(bytes);
  while (const auto field = reader.next()) {
    const auto member =
        std::find_if(message.members.begin(), message.members.end(),
                     [&](const Member& candidate) { return candidate.number == field->number; });
    if (member == message.members.end()) continue;
    const auto index = static_cast<std::size_t>(member - message.members.begin());
    if (!is_of_type(member->shape, field->type)) {
      return malformed(message.name, fmt::format("\"{}\" is of another type", member->name));
    }
    if (!fields.has(index)) {
      fields.first[index] = *field;
    } else if (!is_repeated(member->shape)) {
      return malformed(message.name, fmt::format("\"{}\" occurs twice", member->name));
    }
    fields.seen |= std::uint32_t{1} << index;
  }
  if (reader.malformed()) return not_a_message(message.name);
  return fields;
}

// What a member is that its message does not have.
enum class Absent : std::uint8_t { Omitted, Null, Empty };

class Writer {
 public:
  Writer(JsonStyle style, Absent documents, std::string& out, std::size_t json_max)
      : style_(style), documents_(documents), out_(out), start_(out.size()), json_max_(json_max) {}

  absl::Status response(std::string_view payload) {
    return finish(message(schema::kRequest, payload, around_documents(), 0));
  }

  absl::Status failed_request(std::string_view payload, std::string_view status) {
    return finish(write_failed_request(payload, status));
  }

  absl::Status request(std::string_view payload) { return finish(write_request(payload)); }

  absl::Status document(std::string_view bytes) { return finish(document(bytes, kDocumentDepth)); }

  absl::Status status(std::string_view bytes) {
    return finish(message(schema::kStatus, bytes, around_documents(), 0));
  }

 private:
  absl::Status finish(absl::Status status) {
    if (status.ok()) status = check_size();
    if (!status.ok()) out_.resize(start_);
    return status;
  }

  // Called often enough that the text gets larger than that by one member of a document at most.
  absl::Status check_size() const {
    if (out_.size() - start_ <= json_max_) return absl::OkStatus();
    return core::error(absl::StatusCode::kResourceExhausted,
                       fmt::format("as JSON this message is larger than {} bytes", json_max_));
  }

  Absent around_documents() const {
    return style_ == JsonStyle::Http ? Absent::Empty : Absent::Omitted;
  }

  void key(const Member& member) {
    const bool camel_case = style_ == JsonStyle::Http && !member.camel_case.empty();
    append_json_key(out_, camel_case ? member.camel_case : member.name);
  }

  absl::Status write_failed_request(std::string_view payload, std::string_view status) {
    FLOW_ASSIGN_OR_RETURN(const Fields fields, cut(schema::kRequest, payload));
    const auto bytes_of = [&](const Member& member) {
      return fields.first[index_of(member)].bytes;
    };
    std::string header;
    WireReader reader(bytes_of(schema::kRequestHeader));
    while (const auto field = reader.next()) {
      if (field->number != schema::Header::kStatusFieldNumber) header.append(field->whole);
    }
    if (reader.malformed()) return not_a_message(schema::kHeader.name);
    append_bytes_field(header, schema::Header::kStatusFieldNumber, status);

    out_ += '{';
    key(schema::kRequestHeader);
    FLOW_RETURN_IF_ERROR(message(schema::kHeader, header, Absent::Empty, 1));
    key(schema::kRequestParameters);
    out_ += "null";
    key(schema::kRequestRoutes);
    out_ += "null";
    key(schema::kRequestData);
    FLOW_RETURN_IF_ERROR(data(bytes_of(schema::kRequestData)));
    out_ += '}';
    return absl::OkStatus();
  }

  absl::Status write_request(std::string_view payload) {
    FLOW_ASSIGN_OR_RETURN(const Fields fields, cut(schema::kRequest, payload));
    const auto field = [&](const Member& member) -> std::optional<WireField> {
      const std::size_t index = index_of(member);
      if (!fields.has(index)) return std::nullopt;
      return fields.first[index];
    };
    out_ += '{';
    if (const auto content = field(schema::kRequestData)) {
      key(schema::kRequestData);
      FLOW_RETURN_IF_ERROR(data(content->bytes));
    }
    if (const auto header = field(schema::kRequestHeader)) {
      FLOW_ASSIGN_OR_RETURN(const Fields cut_header, cut(schema::kHeader, header->bytes));
      for (std::size_t i = 0; i < std::size(schema::kHeaderMembers); ++i) {
        const Member& member = schema::kHeaderMembers[i];
        const bool wanted = member.number == schema::Header::kExecEndpointFieldNumber ||
                            member.number == schema::Header::kTargetExecutorFieldNumber;
        if (!wanted || !cut_header.has(i)) continue;
        key(member);
        append_json_string(out_, cut_header.first[i].bytes);
      }
    }
    if (const auto parameters = field(schema::kRequestParameters)) {
      key(schema::kRequestParameters);
      FLOW_RETURN_IF_ERROR(write_struct(parameters->bytes, 1, out_));
    }
    out_ += '}';
    return absl::OkStatus();
  }

  static std::size_t index_of(const Member& member) {
    std::size_t index = 0;
    while (schema::kRequestMembers[index].number != member.number) ++index;
    return index;
  }

  absl::Status message(const schema::Message& schema, std::string_view bytes, Absent absent,
                       std::size_t depth) {
    FLOW_ASSIGN_OR_RETURN(const Fields fields, cut(schema, bytes));
    return members(schema, fields, bytes, absent, depth);
  }

  // An object of the members of a message, in the order of its table. The message is inside of
  // `depth` others.
  absl::Status members(const schema::Message& schema, const Fields& fields, std::string_view bytes,
                       Absent absent, std::size_t depth) {
    out_ += '{';
    for (std::size_t i = 0; i < schema.members.size(); ++i) {
      const Member& member = schema.members[i];
      // Clients rely on it.
      const bool always = member.shape == Shape::Data;
      if (fields.has(i) || always) {
        key(member);
        FLOW_RETURN_IF_ERROR(value(member, fields.first[i], bytes, absent, depth));
        FLOW_RETURN_IF_ERROR(check_size());
      } else if (absent != Absent::Omitted) {
        key(member);
        out_ += absent == Absent::Empty ? empty_value(member.shape) : "null";
      }
    }
    out_ += '}';
    return absl::OkStatus();
  }

  static std::string_view empty_value(Shape shape) {
    switch (shape) {
      case Shape::String:
        return R"("")";
      case Shape::Strings:
      case Shape::Messages:
        return "[]";
      case Shape::Struct:
        return "{}";
      case Shape::Code:
        return "0";
      default:
        return "null";
    }
  }

  // `field` is the first of its number in the message `bytes`.
  absl::Status value(const Member& member, const WireField& field, std::string_view bytes,
                     Absent absent, std::size_t depth) {
    switch (member.shape) {
      case Shape::String:
        append_json_string(out_, field.bytes);
        return absl::OkStatus();
      case Shape::Strings:
        return list(bytes, member.number, [&](const WireField& element) {
          append_json_string(out_, element.bytes);
          return absl::OkStatus();
        });
      case Shape::Base64:
        append_json_base64(out_, field.bytes);
        return absl::OkStatus();
      case Shape::Count:
        append_json_integer(out_, static_cast<std::uint32_t>(field.varint));
        return absl::OkStatus();
      case Shape::Code:
        append_json_integer(out_, static_cast<std::int32_t>(field.varint));
        return absl::OkStatus();
      case Shape::Float:
        append_json_float(out_, float_value(field.bytes));
        return absl::OkStatus();
      case Shape::Floats:
        return floats(bytes, member);
      case Shape::Time:
        return time(field.bytes);
      case Shape::Struct:
        return write_struct(field.bytes, depth + 1, out_);
      case Shape::Tensor:
        return write_tensor(field.bytes, out_);
      case Shape::Scores:
        return scores(bytes, member.number, absent, depth);
      case Shape::Message:
        return message(*member.message, field.bytes, absent, depth + 1);
      case Shape::Messages:
        return list(bytes, member.number, [&](const WireField& element) {
          return message(*member.message, element.bytes, absent, depth + 1);
        });
      case Shape::Documents:
        return list(bytes, member.number,
                    [&](const WireField& element) { return document(element.bytes, depth + 1); });
      case Shape::Data:
        return data(field.bytes);
    }
    return absl::OkStatus();
  }

  // Of all fields of that number in a message that has been cut.
  template <typename Element>
  absl::Status list(std::string_view bytes, std::uint32_t number, Element&& element) {
    out_ += '[';
    WireReader reader(bytes);
    while (const auto field = reader.next()) {
      if (field->number != number) continue;
      append_json_comma(out_);
      FLOW_RETURN_IF_ERROR(element(*field));
      FLOW_RETURN_IF_ERROR(check_size());
    }
    out_ += ']';
    return absl::OkStatus();
  }

  // Each field is one, or several packed.
  absl::Status floats(std::string_view bytes, const Member& member) {
    out_ += '[';
    WireReader reader(bytes);
    while (const auto field = reader.next()) {
      if (field->number != member.number) continue;
      if (field->bytes.size() % sizeof(float) != 0) {
        return malformed(schema::kDocument.name, fmt::format("\"{}\" is cut off", member.name));
      }
      for (std::size_t at = 0; at < field->bytes.size(); at += sizeof(float)) {
        append_json_comma(out_);
        append_json_float(out_, float_value(field->bytes.substr(at, sizeof(float))));
      }
    }
    out_ += ']';
    return absl::OkStatus();
  }

  absl::Status time(std::string_view bytes) {
    Timestamp time;
    WireReader reader(bytes);
    while (const auto field = reader.next()) {
      if (field->number > google::protobuf::Timestamp::kNanosFieldNumber) continue;
      if (field->type != WireType::Varint) return not_a_message("Timestamp");
      const bool nanos = field->number == google::protobuf::Timestamp::kNanosFieldNumber;
      (nanos ? time.nanos : time.seconds) = static_cast<std::int64_t>(field->varint);
    }
    const std::optional<std::string> text =
        format_time(time, style_ == JsonStyle::Http ? Zone::Offset : Zone::Z);
    if (reader.malformed() || !text) return malformed("Timestamp", "out of range or malformed");
    append_json_string(out_, *text);
    return absl::OkStatus();
  }

  absl::Status scores(std::string_view bytes, std::uint32_t number, Absent absent,
                      std::size_t depth) {
    out_ += '{';
    WireReader reader(bytes);
    while (const auto entry = reader.next()) {
      if (entry->number != number) continue;
      FLOW_ASSIGN_OR_RETURN(const Fields fields, cut(schema::kScoreEntry, entry->bytes));
      append_json_comma(out_);
      append_json_string(out_, fields.first[0].bytes);
      out_ += ':';
      FLOW_RETURN_IF_ERROR(message(schema::kScore, fields.first[1].bytes, absent, depth + 2));
      FLOW_RETURN_IF_ERROR(check_size());
    }
    out_ += '}';
    return absl::OkStatus();
  }

  // A list of documents, empty if there are none.
  absl::Status data(std::string_view content) {
    FLOW_ASSIGN_OR_RETURN(const Fields fields, cut(schema::kContent, content));
    if (fields.has(1)) {
      return core::error(absl::StatusCode::kUnimplemented,
                         "DataContentProto: \"docs_bytes\" cannot be written as JSON");
    }
    const std::string_view docs = fields.first[0].bytes;
    FLOW_RETURN_IF_ERROR(cut(schema::kDocumentArray, docs).status());
    return value(schema::kDocumentsMember, {}, docs, documents_, kDocumentDepth - 1);
  }

  absl::Status document(std::string_view bytes, std::size_t depth) {
    if (depth >= kDocumentDepth + core::limits::kDocumentDepthMax) {
      return malformed(schema::kDocument.name,
                       fmt::format("nests deeper than {}", core::limits::kDocumentDepthMax));
    }
    FLOW_ASSIGN_OR_RETURN(const Fields fields, cut(schema::kDocument, bytes));
    std::size_t contents = 0;
    for (std::size_t i = 0; i < std::size(schema::kDocumentMembers); ++i) {
      if (schema::is_content(schema::kDocumentMembers[i].number) && fields.has(i)) ++contents;
    }
    if (contents > 1) return malformed(schema::kDocument.name, "more than one content");
    return members(schema::kDocument, fields, bytes, documents_, depth);
  }

  // How many messages the outermost documents are inside of: request, data, docs.
  static constexpr std::size_t kDocumentDepth = 3;

  const JsonStyle style_;
  const Absent documents_;
  std::string& out_;
  const std::size_t start_;
  const std::size_t json_max_;
};

}  // namespace

absl::Status write_data_response(std::string_view payload, JsonStyle style, std::string& out,
                                 std::size_t json_max) {
  return Writer(style, Absent::Null, out, json_max).response(payload);
}

absl::Status write_failed_request(std::string_view payload, std::string_view status,
                                  std::string& out, std::size_t json_max) {
  return Writer(JsonStyle::Http, Absent::Null, out, json_max).failed_request(payload, status);
}

absl::Status write_data_request(std::string_view payload, std::string& out, std::size_t json_max) {
  return Writer(JsonStyle::Http, Absent::Omitted, out, json_max).request(payload);
}

absl::Status write_document(std::string_view document, std::string& out, std::size_t json_max) {
  return Writer(JsonStyle::Http, Absent::Null, out, json_max).document(document);
}

absl::Status write_status(std::string_view status, std::string& out, std::size_t json_max) {
  return Writer(JsonStyle::Http, Absent::Null, out, json_max).status(status);
}

}  // namespace flow::wire
