// SPDX-License-Identifier: Apache-2.0
#include "wire/json_cursor.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "core/limits.hpp"
#include "core/text.hpp"
#include "fmt/format.h"
#include "wire/json_text.hpp"

namespace flow::wire {
namespace {

using Kind = JsonCursor::Kind;

std::string_view in_words(Kind kind) {
  constexpr std::array<std::string_view, 7> kWords = {"nothing",  "null",   "a boolean", "a number",
                                                      "a string", "a list", "an object"};
  return kWords[static_cast<std::size_t>(kind)];
}

// What pydantic calls the error of another kind being there.
std::string_view type_error(Kind wanted) {
  constexpr std::array<std::string_view, 7> kTypes = {
      "type_error",     "type_error.none.allowed", "value_error.strictbool", "type_error.float",
      "type_error.str", "type_error.list",         "type_error.dict"};
  return kTypes[static_cast<std::size_t>(wanted)];
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

void append_utf8(std::string& out, std::uint32_t code_point) {
  const auto byte = [&](std::uint32_t value) { out += static_cast<char>(value); };
  if (code_point < 0x80) {
    byte(code_point);
  } else if (code_point < 0x800) {
    byte(0xc0 | code_point >> 6);
    byte(0x80 | (code_point & 0x3f));
  } else if (code_point < 0x10000) {
    byte(0xe0 | code_point >> 12);
    byte(0x80 | (code_point >> 6 & 0x3f));
    byte(0x80 | (code_point & 0x3f));
  } else {
    byte(0xf0 | code_point >> 18);
    byte(0x80 | (code_point >> 12 & 0x3f));
    byte(0x80 | (code_point >> 6 & 0x3f));
    byte(0x80 | (code_point & 0x3f));
  }
}

// The steps to the value that starts at `target`, found by reading the text once more: only a
// refused text pays for its path.
bool find_path(JsonCursor& cursor, std::size_t target,
               std::vector<std::variant<std::string, std::size_t>>& path) {
  const Kind kind = cursor.kind();
  if (cursor.position() >= target) return cursor.position() == target;
  if (kind == Kind::Object && cursor.enter_object()) {
    std::string_view key;
    while (cursor.next_member(key)) {
      path.emplace_back(std::string(key));
      if (find_path(cursor, target, path)) return true;
      path.pop_back();
    }
  } else if (kind == Kind::List && cursor.enter_list()) {
    for (std::size_t index = 0; cursor.next_element(); ++index) {
      path.emplace_back(index);
      if (find_path(cursor, target, path)) return true;
      path.pop_back();
    }
  } else {
    cursor.skip();
  }
  return false;
}

// A number, as far as it is known when its digits have been passed once.
struct Decimal {
  std::uint64_t digits = 0;  // modulo 2^64
  std::size_t count = 0;     // of digits, leading zeros included
  std::int64_t scale = 0;    // the value is digits * 10^scale
  bool negative = false;
};

// So many digits fit 64 bits.
constexpr std::size_t kDigitsMax = 19;

// Appends the digits at `at` to those before, and returns where they end.
const char* take_digits(const char* at, const char* end, Decimal& decimal) {
  const char* const start = at;
  std::uint64_t digits = decimal.digits;
  for (; at != end && is_digit(*at); ++at) {
    digits = digits * 10 + static_cast<std::uint64_t>(*at - '0');
  }
  decimal.digits = digits;
  decimal.count += static_cast<std::size_t>(at - start);
  return at;
}

// If both factors are exact floats, so is their product but for one rounding: most numbers are that
// short.
std::optional<double> exact_value(const Decimal& decimal) {
  constexpr std::array<double, 23> kPowers = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                              1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                              1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  constexpr std::array<double, 2> kSigns = {1.0, -1.0};
  constexpr auto kLargest = static_cast<std::int64_t>(kPowers.size()) - 1;
  constexpr std::uint64_t kExactMax = std::uint64_t{1} << 53;
  if (decimal.count > kDigitsMax || decimal.digits > kExactMax || decimal.scale > kLargest ||
      decimal.scale < -kLargest) {
    return std::nullopt;
  }
  const auto digits = static_cast<double>(decimal.digits);
  const double value = decimal.scale < 0
                           ? digits / kPowers[static_cast<std::size_t>(-decimal.scale)]
                           : digits * kPowers[static_cast<std::size_t>(decimal.scale)];
  // Not a branch: signs are hard to foresee, too.
  return std::copysign(value, kSigns[decimal.negative ? 1 : 0]);
}

std::optional<std::int64_t> integer_value(const Decimal& decimal, std::string_view token) {
  if (decimal.count < kDigitsMax) {
    const auto digits = static_cast<std::int64_t>(decimal.digits);
    return decimal.negative ? -digits : digits;
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(token.begin(), token.end(), value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

// Of a number that no float holds: is it too large, and not too small?
bool is_large(const Decimal& decimal, std::string_view token) {
  std::int64_t leading_zeros = 0;
  for (const char c : token) {
    if (c == '0') ++leading_zeros;
    if (c >= '1' && c <= '9') break;
  }
  return static_cast<std::int64_t>(decimal.count) - leading_zeros + decimal.scale > 0;
}

}  // namespace

Kind JsonCursor::no_value() {
  syntax_error(position_, "Expecting value");
  return Kind::None;
}

bool JsonCursor::unexpected(Kind wanted, Kind found) {
  if (found != Kind::None) {
    fail(position_, fmt::format("expected {}, found {}", in_words(wanted), in_words(found)),
         type_error(wanted));
  }
  return false;
}

bool JsonCursor::enter(Kind kind) {
  if (!expect(kind)) return false;
  if (depth_ == core::limits::kJsonDepthMax) {
    fail(position_, fmt::format("lists and objects may nest {} deep, not deeper", depth_));
    return false;
  }
  ++depth_;
  ++position_;
  first_ = true;
  return true;
}

bool JsonCursor::next_member(std::string_view& key) {
  if (!separator('}')) return false;
  skip_space();
  if (current() != '"') {
    return syntax_error(position_, "Expecting property name enclosed in double quotes");
  }
  key = string();
  skip_space();
  if (failure_) return false;
  if (current() != ':') return syntax_error(position_, "Expecting ':' delimiter");
  ++position_;
  return true;
}

bool JsonCursor::valid_piece(std::string_view piece, bool ascii) {
  if (ascii || core::is_valid_utf8(piece)) return true;
  auto at = static_cast<std::size_t>(piece.data() - text_.data());
  while (const std::size_t length = core::utf8_length(piece)) {
    piece.remove_prefix(length);
    at += length;
  }
  return syntax_error(at, "Invalid UTF-8 in string at");
}

std::string_view JsonCursor::string() {
  if (!expect(Kind::String)) return {};
  const std::size_t quote = position_;
  ++position_;
  bool escaped = false;
  for (;;) {
    const std::string_view rest = text_.substr(position_);
    const PlainText plain = plain_text(rest);
    const std::string_view piece = rest.substr(0, plain.length);
    if (!valid_piece(piece, plain.ascii)) return {};
    position_ += piece.size();
    if (position_ == text_.size()) {
      syntax_error(quote, "Unterminated string starting at");
      return {};
    }
    const char c = current();
    if (c == '"') {
      ++position_;
      if (!escaped) return piece;
      unescaped_ += piece;
      return unescaped_;
    }
    if (c != '\\') {
      syntax_error(position_, "Invalid control character at");
      return {};
    }
    if (!std::exchange(escaped, true)) unescaped_.clear();
    unescaped_ += piece;
    if (!escape(quote)) return {};
  }
}

bool JsonCursor::escape(std::size_t quote) {
  const std::size_t backslash = position_;
  ++position_;
  if (position_ == text_.size()) return syntax_error(quote, "Unterminated string starting at");
  const char c = current();
  ++position_;
  switch (c) {
    case '"':
    case '\\':
    case '/':
      unescaped_ += c;
      return true;
    case 'b':
      unescaped_ += '\b';
      return true;
    case 'f':
      unescaped_ += '\f';
      return true;
    case 'n':
      unescaped_ += '\n';
      return true;
    case 'r':
      unescaped_ += '\r';
      return true;
    case 't':
      unescaped_ += '\t';
      return true;
    case 'u':
      break;
    default:
      return syntax_error(backslash, "Invalid \\escape");
  }
  std::optional<std::uint32_t> code = hex4();
  if (!code) return syntax_error(backslash + 1, "Invalid \\uXXXX escape");
  if (*code >= 0xd800 && *code < 0xe000) {
    const bool pair = *code < 0xdc00 && text_.substr(position_, 2) == "\\u";
    if (pair) position_ += 2;
    const std::optional<std::uint32_t> low = pair ? hex4() : std::nullopt;
    if (!low || *low < 0xdc00 || *low >= 0xe000) {
      return syntax_error(backslash, "Lone surrogate in \\u escape");
    }
    code = 0x10000 + ((*code - 0xd800) << 10) + (*low - 0xdc00);
  }
  append_utf8(unescaped_, *code);
  return true;
}

std::optional<std::uint32_t> JsonCursor::hex4() {
  const std::string_view digits = text_.substr(std::min(position_, text_.size()), 4);
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), value, 16);
  if (digits.size() != 4 || error != std::errc() || end != digits.end()) return std::nullopt;
  position_ += 4;
  return value;
}

JsonCursor::Number JsonCursor::number() {
  if (!expect(Kind::Number)) return {};
  const std::size_t start = position_;
  const char* const end = text_.data() + text_.size();
  const char* at = text_.data() + start;
  const auto has_digit = [&](const char* place) { return place < end && is_digit(*place); };

  Decimal decimal;
  decimal.negative = *at == '-';
  at += decimal.negative ? 1 : 0;
  if (!has_digit(at)) {
    syntax_error(start, "Expecting value");
    return {};
  }
  // After a leading zero no digit may follow.
  at = take_digits(at, *at == '0' ? at + 1 : end, decimal);
  bool integer = true;
  if (at != end && *at == '.' && has_digit(at + 1)) {
    integer = false;
    const char* const fraction = at + 1;
    at = take_digits(fraction, end, decimal);
    decimal.scale = fraction - at;
  }
  if (at != end && (*at == 'e' || *at == 'E')) {
    const char* digits = at + 1;
    const bool negative = digits != end && *digits == '-';
    if (digits != end && (*digits == '+' || *digits == '-')) ++digits;
    if (has_digit(digits)) {
      integer = false;
      // More than any text has digits to make up for.
      constexpr std::int64_t kExponentMax = 1'000'000'000'000;
      std::int64_t exponent = 0;
      for (at = digits; has_digit(at); ++at) {
        exponent = std::min(exponent * 10 + (*at - '0'), kExponentMax);
      }
      decimal.scale += negative ? -exponent : exponent;
    }
  }
  const auto size = static_cast<std::size_t>(at - text_.data()) - start;
  const std::string_view token = text_.substr(start, size);
  position_ += size;

  Number number;
  if (integer) number.integer = integer_value(decimal, token);
  if (const std::optional<double> exact = exact_value(decimal)) {
    number.value = *exact;
    return number;
  }
  const auto result = std::from_chars(token.begin(), token.end(), number.value);
  if (result.ec == std::errc::result_out_of_range) {
    number.value = decimal.negative ? -0.0 : 0.0;
    if (is_large(decimal, token)) fail(start, "number is out of the range of a 64-bit float");
  }
  return number;
}

bool JsonCursor::literal(std::string_view word) {
  if (text_.substr(position_, word.size()) != word) {
    return syntax_error(position_, "Expecting value");
  }
  position_ += word.size();
  return true;
}

bool JsonCursor::boolean() {
  if (!expect(Kind::Boolean)) return false;
  if (current() == 't') return literal("true");
  literal("false");
  return false;
}

bool JsonCursor::take_null() { return kind() == Kind::Null && literal("null"); }

void JsonCursor::skip() {
  switch (kind()) {
    case Kind::None:
      break;
    case Kind::Null:
      take_null();
      break;
    case Kind::Boolean:
      boolean();
      break;
    case Kind::Number:
      number();
      break;
    case Kind::String:
      string();
      break;
    case Kind::List:
      enter_list();
      while (next_element()) skip();
      break;
    case Kind::Object:
      enter_object();
      for (std::string_view key; next_member(key);) skip();
      break;
  }
}

bool JsonCursor::finish() {
  if (failure_) return false;
  skip_space();
  return position_ == text_.size() || syntax_error(position_, "Extra data");
}

bool JsonCursor::syntax_error(std::size_t position, std::string_view message) {
  fail(position, std::string(message), kJsonSyntaxError);
  return false;
}

void JsonCursor::fail(std::size_t position, std::string message, std::string_view type) {
  if (!failure_) failure_ = Failure{position, std::move(message), type, {}};
}

void JsonCursor::fail_missing(std::size_t position, std::string_view key) {
  if (!failure_) failure_ = Failure{position, "field required", "value_error.missing", key};
}

JsonProblem JsonCursor::problem() const {
  JsonProblem problem;
  if (!failure_) return problem;
  problem.message = failure_->message;
  problem.type = failure_->type;
  for (const char c : text_.substr(0, failure_->position)) {
    if (is_continuation(c)) continue;
    ++problem.offset;
    ++problem.column;
    if (c == '\n') {
      ++problem.line;
      problem.column = 1;
    }
  }
  if (problem.is_syntax_error()) return problem;
  JsonCursor once_more(text_);
  find_path(once_more, failure_->position, problem.where);
  if (!failure_->missing_key.empty())
    problem.where.emplace_back(std::string(failure_->missing_key));
  return problem;
}

}  // namespace flow::wire
