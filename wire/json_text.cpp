// SPDX-License-Identifier: Apache-2.0
#include "wire/json_text.hpp"

#include <bit>
#include <cmath>
#include <cstring>

#include "absl/strings/escaping.h"
#include "core/text.hpp"

namespace flow::wire {
namespace {

constexpr std::uint64_t kOnes = 0x0101010101010101;
constexpr std::uint64_t kHighBits = 0x8080808080808080;

// Non-zero if one of the eight bytes is zero.
constexpr std::uint64_t zero_byte(std::uint64_t bytes) {
  return (bytes - kOnes) & ~bytes & kHighBits;
}

// Non-zero if one of the eight bytes needs an escape.
constexpr std::uint64_t special_byte(std::uint64_t bytes) {
  const std::uint64_t control = (bytes - kOnes * 0x20) & ~bytes & kHighBits;
  return zero_byte(bytes ^ kOnes * '"') | zero_byte(bytes ^ kOnes * '\\') | control;
}

bool is_special(char c) { return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20; }

void append_escape(std::string& out, char c) {
  constexpr char kHex[] = "0123456789abcdef";
  out += '\\';
  switch (c) {
    case '\b':
      out += 'b';
      break;
    case '\t':
      out += 't';
      break;
    case '\n':
      out += 'n';
      break;
    case '\f':
      out += 'f';
      break;
    case '\r':
      out += 'r';
      break;
    case '"':
    case '\\':
      out += c;
      break;
    default:
      out.append("u00");
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[static_cast<unsigned char>(c) & 0xf];
  }
}

template <std::floating_point Float>
void append_float(std::string& out, Float value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  char digits[32];
  const auto [end, error] = std::to_chars(digits, digits + sizeof(digits), value);
  const std::string_view text(digits, static_cast<std::size_t>(end - digits));
  out += text;
  if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
}

}  // namespace

PlainText plain_text(std::string_view text) {
  PlainText plain;
  std::uint64_t seen = 0;
  while (text.size() - plain.length >= sizeof(std::uint64_t)) {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, text.data() + plain.length, sizeof(bytes));
    if (special_byte(bytes) != 0) break;
    seen |= bytes;
    plain.length += sizeof(bytes);
  }
  for (; plain.length < text.size() && !is_special(text[plain.length]); ++plain.length) {
    seen |= static_cast<unsigned char>(text[plain.length]);
  }
  plain.ascii = (seen & kHighBits) == 0;
  return plain;
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const PlainText plain = plain_text(text);
    const std::string_view piece = text.substr(0, plain.length);
    if (plain.ascii || core::is_valid_utf8(piece)) {
      out += piece;
    } else {
      out += core::escape_json(piece);
    }
    text.remove_prefix(piece.size());
    if (text.empty()) break;
    append_escape(out, text.front());
    text.remove_prefix(1);
  }
  out += '"';
}

void append_json_base64(std::string& out, std::string_view bytes) {
  std::string encoded;
  absl::Base64Escape(absl::string_view(bytes.data(), bytes.size()), &encoded);
  out += '"';
  out += encoded;
  out += '"';
}

void append_json_float(std::string& out, double value) { append_float(out, value); }
void append_json_float(std::string& out, float value) { append_float(out, value); }

void append_json_comma(std::string& out) {
  if (!out.empty() && out.back() != '{' && out.back() != '[') out += ',';
}

void append_json_key(std::string& out, std::string_view name) {
  append_json_comma(out);
  out += '"';
  out += name;
  out += "\":";
}

}  // namespace flow::wire
