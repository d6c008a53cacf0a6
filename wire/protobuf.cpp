// SPDX-License-Identifier: Apache-2.0
#include "wire/protobuf.hpp"

#include <bit>
#include <cstring>

namespace flow::wire {
namespace {

static_assert(std::endian::native == std::endian::little, "fixed fields are copied as they are");

template <typename Number>
void append_fixed(std::string& out, std::uint32_t number, WireType type, Number value) {
  append_varint(out, number << 3 | static_cast<std::uint32_t>(type));
  char bytes[sizeof(value)];
  std::memcpy(bytes, &value, sizeof(value));
  out.append(bytes, sizeof(value));
}

template <typename Number>
Number fixed_value(std::string_view bytes) {
  Number value = 0;
  if (bytes.size() == sizeof(value)) std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

}  // namespace

std::optional<std::uint64_t> take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 10 && i < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      bytes.remove_prefix(i + 1);
      return value;
    }
  }
  return std::nullopt;
}

std::optional<WireField> WireReader::next() {
  if (rest_.empty() || malformed_) return std::nullopt;
  const std::string_view start = rest_;
  malformed_ = true;  // until the field is whole
  const std::optional<std::uint64_t> tag = take_varint(rest_);
  if (!tag || *tag >> 3 == 0 || *tag >> 3 > 0x1fff'ffff) return std::nullopt;

  WireField field;
  field.number = static_cast<std::uint32_t>(*tag >> 3);
  std::size_t size = 0;
  switch (*tag & 7) {
    case 0: {
      field.type = WireType::Varint;
      const std::optional<std::uint64_t> value = take_varint(rest_);
      if (!value) return std::nullopt;
      field.varint = *value;
      break;
    }
    case 1:
      field.type = WireType::Fixed64;
      size = 8;
      break;
    case 2: {
      field.type = WireType::Bytes;
      const std::optional<std::uint64_t> length = take_varint(rest_);
      if (!length || *length > rest_.size()) return std::nullopt;
      size = static_cast<std::size_t>(*length);
      break;
    }
    case 5:
      field.type = WireType::Fixed32;
      size = 4;
      break;
    default:  // groups are gone since proto3
      return std::nullopt;
  }
  if (size > rest_.size()) return std::nullopt;
  field.bytes = rest_.substr(0, size);
  rest_.remove_prefix(size);
  field.whole = start.substr(0, start.size() - rest_.size());
  malformed_ = false;
  return field;
}

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

void append_bytes_field(std::string& out, std::uint32_t number, std::string_view bytes) {
  append_varint(out, number << 3 | 2);
  append_varint(out, bytes.size());
  out.append(bytes);
}

void append_varint_field(std::string& out, std::uint32_t number, std::uint64_t value) {
  append_varint(out, number << 3);
  append_varint(out, value);
}

void append_float_field(std::string& out, std::uint32_t number, float value) {
  append_fixed(out, number, WireType::Fixed32, value);
}

void append_double_field(std::string& out, std::uint32_t number, double value) {
  append_fixed(out, number, WireType::Fixed64, value);
}

OpenField open_field(std::string& out, std::uint32_t number, std::size_t size_guess) {
  append_varint(out, number << 3 | static_cast<std::uint32_t>(WireType::Bytes));
  OpenField field;
  field.length_bytes = varint_size(size_guess);
  out.append(field.length_bytes, '\0');
  field.content = out.size();
  return field;
}

void close_field(std::string& out, OpenField field) {
  const std::size_t size = out.size() - field.content;
  const std::size_t length_bytes = varint_size(size);
  const std::size_t length_at = field.content - field.length_bytes;
  if (length_bytes != field.length_bytes) {
    out.replace(length_at, field.length_bytes, length_bytes, '\0');
  }
  std::size_t rest = size;
  for (std::size_t i = 0; i < length_bytes; ++i, rest >>= 7) {
    out[length_at + i] = static_cast<char>((rest & 0x7f) | (i + 1 < length_bytes ? 0x80 : 0));
  }
}

float float_value(std::string_view four_bytes) { return fixed_value<float>(four_bytes); }
double double_value(std::string_view eight_bytes) { return fixed_value<double>(eight_bytes); }

}  // namespace flow::wire
