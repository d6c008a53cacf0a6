// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "wire/json_problem.hpp"

namespace flow::wire {

// Reads a JSON text (RFC 8259) value by value, in one pass, without building anything. Its user
// asks for what it expects:
//
//   if (!cursor.enter_list()) return;
//   while (cursor.next_element()) texts.push_back(std::string(cursor.string()));
//
// The first failure, of the text or of an expectation, is kept; from then on every function returns
// false or something empty, so that loops end. Everything passed is validated, UTF-8 included. A
// key may occur twice: the cursor reports both. Confined to its user; the text must outlive it.
class JsonCursor {
 public:
  enum class Kind : std::uint8_t { None, Null, Boolean, Number, String, List, Object };

  struct Number {
    double value = 0;
    // Set if it is written as an integer and fits.
    std::optional<std::int64_t> integer;
  };

  explicit JsonCursor(std::string_view text) : text_(text) {}

  // What comes next; None after a failure, or if no value comes.
  Kind kind() {
    if (failure_) return Kind::None;
    skip_space();
    const Kind kind = kKinds[static_cast<unsigned char>(current())];
    return kind == Kind::None ? no_value() : kind;
  }
  // False, and a failure, if something else comes next.
  bool expect(Kind wanted) {
    const Kind found = kind();
    return found == wanted || unexpected(wanted, found);
  }

  // Of the value that comes next, which must be of that kind, else it fails.
  bool enter_object() { return enter(Kind::Object); }
  bool enter_list() { return enter(Kind::List); }
  std::string_view string();  // valid until the next string or key is read
  Number number();
  bool boolean();
  // Passes a null; false if something else comes next, which is then still there.
  bool take_null();
  // Passes a value of any kind.
  void skip();

  // True if a member (its key then has been read), or an element, comes next; at the end of the
  // object or list it is left and the answer is false.
  bool next_member(std::string_view& key);
  bool next_element() { return separator(']'); }

  // After the value: true if nothing has failed and nothing follows.
  bool finish();

  // Where the cursor stands, in bytes; after kind(), where the next value starts.
  std::size_t position() const { return position_; }
  std::size_t remaining() const { return text_.size() - position_; }
  // Goes back to where a value starts that has been skipped, or forward again to after it.
  void move_to(std::size_t position) { position_ = position; }

  // The value at `position` is not what its place asks for. `type` is a literal.
  void fail(std::size_t position, std::string message, std::string_view type = "value_error");
  // The object at `position` lacks a member; `key` is a literal.
  void fail_missing(std::size_t position, std::string_view key);
  bool ok() const { return !failure_; }
  // What failed first.
  JsonProblem problem() const;

 private:
  struct Failure {
    std::size_t position = 0;
    std::string message;
    std::string_view type;
    std::string_view missing_key;
  };

  // By the first character of a value.
  static constexpr std::array<Kind, 256> kKinds = [] {
    std::array<Kind, 256> kinds{};
    for (const unsigned char c : {'-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'}) {
      kinds[c] = Kind::Number;
    }
    kinds['{'] = Kind::Object;
    kinds['['] = Kind::List;
    kinds['"'] = Kind::String;
    kinds['t'] = kinds['f'] = Kind::Boolean;
    kinds['n'] = Kind::Null;
    return kinds;
  }();

  char current() const { return position_ < text_.size() ? text_[position_] : '\0'; }
  void skip_space() {
    while (position_ < text_.size()) {
      const char c = text_[position_];
      if (c != ' ' && c != '\n' && c != '\t' && c != '\r') break;
      ++position_;
    }
  }
  bool enter(Kind kind);
  // Takes what stands before the next element, or the end.
  bool separator(char close) {
    if (failure_) return false;
    skip_space();
    if (current() == close) {
      ++position_;
      --depth_;
      first_ = false;
      return false;
    }
    if (std::exchange(first_, false)) return true;
    if (current() != ',') return syntax_error(position_, "Expecting ',' delimiter");
    ++position_;
    return true;
  }
  Kind no_value();
  bool unexpected(Kind wanted, Kind found);
  bool literal(std::string_view word);
  // At a backslash, in the string that starts at `quote`.
  bool escape(std::size_t quote);
  std::optional<std::uint32_t> hex4();
  bool valid_piece(std::string_view piece, bool ascii);
  // False, so that it can be returned.
  bool syntax_error(std::size_t position, std::string_view message);

  std::string_view text_;
  std::size_t position_ = 0;
  std::size_t depth_ = 0;
  bool first_ = false;  // an object or list has just been entered: no comma yet
  std::string unescaped_;
  std::optional<Failure> failure_;
};

}  // namespace flow::wire
