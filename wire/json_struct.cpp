// SPDX-License-Identifier: Apache-2.0
#include "wire/json_struct.hpp"

#include <optional>

#include "core/limits.hpp"
#include "core/status.hpp"
#include "fmt/format.h"
#include "google/protobuf/struct.pb.h"
#include "wire/json_schema.hpp"
#include "wire/json_text.hpp"
#include "wire/protobuf.hpp"

namespace flow::wire {
namespace {

using google::protobuf::ListValue;
using google::protobuf::Struct;
using google::protobuf::Value;
using Kind = JsonCursor::Kind;

bool within_depth(JsonCursor& cursor, std::size_t depth) {
  constexpr std::size_t kMax = core::limits::kProtobufDepthMax;
  if (depth <= kMax) return true;
  cursor.fail(cursor.position(), fmt::format("nests too deep: as a message it would have more than "
                                             "{} levels",
                                             kMax));
  return false;
}

void read_value(JsonCursor& cursor, std::size_t depth, std::string& out);

void read_list(JsonCursor& cursor, std::size_t depth, std::string& out) {
  if (!cursor.enter_list()) return;
  while (cursor.next_element()) {
    const OpenField value = open_field(out, ListValue::kValuesFieldNumber);
    read_value(cursor, depth + 1, out);
    close_field(out, value);
  }
}

void read_value(JsonCursor& cursor, std::size_t depth, std::string& out) {
  const Kind kind = cursor.kind();
  if (!within_depth(cursor, depth)) return;
  switch (kind) {
    case Kind::None:
      break;
    case Kind::Null:
      cursor.take_null();
      append_varint_field(out, Value::kNullValueFieldNumber, 0);
      break;
    case Kind::Boolean:
      append_varint_field(out, Value::kBoolValueFieldNumber, cursor.boolean() ? 1 : 0);
      break;
    case Kind::Number:
      append_double_field(out, Value::kNumberValueFieldNumber, cursor.number().value);
      break;
    case Kind::String:
      append_bytes_field(out, Value::kStringValueFieldNumber, cursor.string());
      break;
    case Kind::List: {
      const OpenField list = open_field(out, Value::kListValueFieldNumber);
      if (within_depth(cursor, depth + 1)) read_list(cursor, depth + 1, out);
      close_field(out, list);
      break;
    }
    case Kind::Object: {
      const OpenField object = open_field(out, Value::kStructValueFieldNumber);
      read_struct(cursor, depth + 1, out);
      close_field(out, object);
      break;
    }
  }
}

absl::Status broken(std::string_view what) {
  return core::error(absl::StatusCode::kInvalidArgument,
                     fmt::format("google.protobuf.{} is malformed", what));
}

absl::Status check_depth(std::size_t depth) {
  if (depth <= core::limits::kProtobufDepthMax) return absl::OkStatus();
  return core::error(absl::StatusCode::kInvalidArgument, "google.protobuf.Struct nests too deep");
}

absl::Status write_value(std::string_view message, std::size_t depth, std::string& out);

absl::Status write_list(std::string_view message, std::size_t depth, std::string& out) {
  FLOW_RETURN_IF_ERROR(check_depth(depth));
  out += '[';
  WireReader reader(message);
  while (const auto field = reader.next()) {
    if (field->number != ListValue::kValuesFieldNumber) continue;
    if (field->type != WireType::Bytes) return broken("ListValue");
    append_json_comma(out);
    FLOW_RETURN_IF_ERROR(write_value(field->bytes, depth + 1, out));
  }
  if (reader.malformed()) return broken("ListValue");
  out += ']';
  return absl::OkStatus();
}

constexpr WireType value_type(std::uint32_t number) {
  switch (number) {
    case Value::kNullValueFieldNumber:
    case Value::kBoolValueFieldNumber:
      return WireType::Varint;
    case Value::kNumberValueFieldNumber:
      return WireType::Fixed64;
    default:
      return WireType::Bytes;
  }
}

absl::Status write_value(std::string_view message, std::size_t depth, std::string& out) {
  FLOW_RETURN_IF_ERROR(check_depth(depth));
  // One of six kinds; of several the last counts.
  std::optional<WireField> value;
  WireReader reader(message);
  while (const auto field = reader.next()) {
    if (field->number > Value::kListValueFieldNumber) continue;
    if (field->type != value_type(field->number)) return broken("Value");
    value = field;
  }
  if (reader.malformed()) return broken("Value");
  switch (value ? value->number : std::uint32_t{Value::kNullValueFieldNumber}) {
    case Value::kNumberValueFieldNumber:
      append_json_float(out, double_value(value->bytes));
      break;
    case Value::kStringValueFieldNumber:
      append_json_string(out, value->bytes);
      break;
    case Value::kBoolValueFieldNumber:
      out += value->varint != 0 ? "true" : "false";
      break;
    case Value::kStructValueFieldNumber:
      return write_struct(value->bytes, depth + 1, out);
    case Value::kListValueFieldNumber:
      return write_list(value->bytes, depth + 1, out);
    default:
      out += "null";
  }
  return absl::OkStatus();
}

absl::Status write_entry(std::string_view entry, std::size_t depth, std::string& out) {
  std::string_view key;
  std::string_view value;
  WireReader reader(entry);
  while (const auto field = reader.next()) {
    if (field->number > schema::kMapValue) continue;
    if (field->type != WireType::Bytes) return broken("Struct");
    (field->number == schema::kMapKey ? key : value) = field->bytes;
  }
  if (reader.malformed()) return broken("Struct");
  append_json_comma(out);
  append_json_string(out, key);
  out += ':';
  return write_value(value, depth, out);
}

}  // namespace

void read_struct(JsonCursor& cursor, std::size_t depth, std::string& out) {
  if (!cursor.expect(Kind::Object) || !within_depth(cursor, depth)) return;
  cursor.enter_object();
  std::string_view key;
  while (cursor.next_member(key)) {
    const OpenField entry = open_field(out, Struct::kFieldsFieldNumber);
    append_bytes_field(out, schema::kMapKey, key);
    const OpenField value = open_field(out, schema::kMapValue);
    read_value(cursor, depth + 2, out);
    close_field(out, value);
    close_field(out, entry);
  }
}

absl::Status write_struct(std::string_view message, std::size_t depth, std::string& out) {
  FLOW_RETURN_IF_ERROR(check_depth(depth));
  out += '{';
  WireReader reader(message);
  while (const auto field = reader.next()) {
    if (field->number != Struct::kFieldsFieldNumber) continue;
    if (field->type != WireType::Bytes) return broken("Struct");
    FLOW_RETURN_IF_ERROR(write_entry(field->bytes, depth + 2, out));
  }
  if (reader.malformed()) return broken("Struct");
  out += '}';
  return absl::OkStatus();
}

}  // namespace flow::wire
