// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// The words JSON texts consist of.
namespace flow::wire {

// The part of `text` that stands between the quotes of a JSON string as it is: up to the first
// quote, backslash or control character.
struct PlainText {
  std::size_t length = 0;
  bool ascii = true;  // else somebody has to check that it is UTF-8
};
PlainText plain_text(std::string_view text);

// With its quotes. What is not UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

// Standard base64 with padding, with quotes.
void append_json_base64(std::string& out, std::string_view bytes);

// The shortest text that reads back as the same number, with a point or an exponent so that it
// reads as no integer: `1.0`. JSON has no NaN and no infinity: those become `null`.
void append_json_float(std::string& out, double value);
void append_json_float(std::string& out, float value);

template <std::integral Integer>
void append_json_integer(std::string& out, Integer value) {
  char digits[24];
  const auto [end, error] = std::to_chars(digits, digits + sizeof(digits), value);
  out.append(digits, static_cast<std::size_t>(end - digits));
}

// `"name":`, after a comma unless it is the first member of its object. The name needs no escapes.
void append_json_key(std::string& out, std::string_view name);
// A comma, unless a list or an object has just been opened.
void append_json_comma(std::string& out);

}  // namespace flow::wire
