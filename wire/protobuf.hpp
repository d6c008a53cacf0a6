// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// Just enough of protobuf's wire format to cut a message at its top level and to write one, without
// building a tree: https://protobuf.dev/programming-guides/encoding/
namespace flow::wire {

enum class WireType : std::uint8_t { Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5 };

struct WireField {
  std::uint32_t number = 0;
  WireType type = WireType::Varint;
  std::uint64_t varint = 0;  // Varint
  std::string_view bytes;    // Bytes: the payload
  std::string_view whole;    // the field with its tag
};

// Reads the fields of one message, in order. Confined to its user.
class WireReader {
 public:
  explicit WireReader(std::string_view message) : rest_(message) {}

  // The next field; nullopt at the end, or when the message is malformed.
  std::optional<WireField> next();
  bool malformed() const { return malformed_; }

 private:
  std::optional<std::uint64_t> varint();

  std::string_view rest_;
  bool malformed_ = false;
};

constexpr std::size_t varint_size(std::uint64_t value) {
  std::size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}
void append_varint(std::string& out, std::uint64_t value);
// Field numbers below 16: a tag of one byte.
void append_bytes_field(std::string& out, std::uint32_t number, std::string_view bytes);
void append_varint_field(std::string& out, std::uint32_t number, std::uint64_t value);

}  // namespace flow::wire
