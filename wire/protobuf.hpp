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

// Removes the varint at the front; nullopt if there is none.
std::optional<std::uint64_t> take_varint(std::string_view& bytes);

// Reads the fields of one message, in order. Confined to its user.
class WireReader {
 public:
  explicit WireReader(std::string_view message) : rest_(message) {}

  // The next field; nullopt at the end, or when the message is malformed.
  std::optional<WireField> next();
  bool malformed() const { return malformed_; }

 private:
  std::string_view rest_;
  bool malformed_ = false;
};

constexpr std::size_t varint_size(std::uint64_t value) {
  std::size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}
void append_varint(std::string& out, std::uint64_t value);
void append_bytes_field(std::string& out, std::uint32_t number, std::string_view bytes);
void append_varint_field(std::string& out, std::uint32_t number, std::uint64_t value);
void append_float_field(std::string& out, std::uint32_t number, float value);
void append_double_field(std::string& out, std::uint32_t number, double value);

// A field whose content is appended piece by piece, so that its length is known last.
struct OpenField {
  std::size_t content = 0;       // where in the string it starts
  std::size_t length_bytes = 0;  // reserved before it
};

// Room for a length is reserved by the guess; where the guess has another order of magnitude,
// closing moves the content by a few bytes. Fields are closed in the reverse order of their
// opening.
OpenField open_field(std::string& out, std::uint32_t number, std::size_t size_guess = 0);
void close_field(std::string& out, OpenField field);

// The value of a Fixed32 or Fixed64 field, from its bytes.
float float_value(std::string_view four_bytes);
double double_value(std::string_view eight_bytes);

}  // namespace flow::wire
