// SPDX-License-Identifier: Apache-2.0
#include "wire/protobuf.hpp"

namespace flow::wire {

std::optional<std::uint64_t> WireReader::varint() {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 10 && i < rest_.size(); ++i) {
    const auto byte = static_cast<unsigned char>(rest_[i]);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      rest_.remove_prefix(i + 1);
      return value;
    }
  }
  return std::nullopt;
}

std::optional<WireField> WireReader::next() {
  if (rest_.empty() || malformed_) return std::nullopt;
  const std::string_view start = rest_;
  malformed_ = true;  // until the field is whole
  const std::optional<std::uint64_t> tag = varint();
  if (!tag || *tag >> 3 == 0 || *tag >> 3 > 0x1fff'ffff) return std::nullopt;

  WireField field;
  field.number = static_cast<std::uint32_t>(*tag >> 3);
  std::size_t size = 0;
  switch (*tag & 7) {
    case 0: {
      field.type = WireType::Varint;
      const std::optional<std::uint64_t> value = varint();
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
      const std::optional<std::uint64_t> length = varint();
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

}  // namespace flow::wire
