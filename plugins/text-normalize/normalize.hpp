// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

enum class Form { NFC, NFKC };
enum class Case { Keep, Fold };
enum class Whitespace { Keep, Collapse };

struct Normalization {
  Form form = Form::NFC;
  Case letters = Case::Fold;
  // Collapse: a run of Unicode white space becomes one U+0020, none is left at either end.
  Whitespace whitespace = Whitespace::Collapse;
};

// Text that is not UTF-8, and the first byte from which on it is not.
class InvalidUtf8 : public std::invalid_argument {
 public:
  explicit InvalidUtf8(std::size_t offset)
      : std::invalid_argument("not valid UTF-8 at byte " + std::to_string(offset)) {}
};

// The normal form of text; that of a normal form is itself. Throws InvalidUtf8.
std::string normalize(std::string_view text, const Normalization& how);
