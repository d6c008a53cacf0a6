// SPDX-License-Identifier: Apache-2.0
#include "normalize.hpp"

#include <utf8proc.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace {

const std::uint8_t* bytes(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

// One code point from the front of text, which must not be empty; its length is 0 if it is invalid.
struct CodePoint {
  std::int32_t value;
  std::size_t length;
};
CodePoint first(std::string_view text) {
  std::int32_t value = -1;
  const utf8proc_ssize_t length =
      utf8proc_iterate(bytes(text), static_cast<utf8proc_ssize_t>(text.size()), &value);
  return {value, length > 0 ? static_cast<std::size_t>(length) : 0};
}

std::size_t valid_prefix(std::string_view text) {
  std::size_t offset = 0;
  while (offset < text.size()) {
    const std::size_t length = first(text.substr(offset)).length;
    if (length == 0) break;
    offset += length;
  }
  return offset;
}

// Unicode's White_Space property, which utf8proc does not know.
bool is_white_space(std::int32_t c) {
  return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

std::string collapse_white_space(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  bool pending = false;  // white space that will stand before the next word, if there is one
  while (!text.empty()) {
    const CodePoint c = first(text);
    if (is_white_space(c.value)) {
      pending = !result.empty();
    } else {
      if (pending) result += ' ';
      pending = false;
      result += text.substr(0, c.length);
    }
    text.remove_prefix(c.length);
  }
  return result;
}

}  // namespace

std::string normalize(std::string_view text, const Normalization& how) {
  int options = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
  if (how.form == Form::NFKC) options |= UTF8PROC_COMPAT;
  if (how.letters == Case::Fold) options |= UTF8PROC_CASEFOLD;

  std::uint8_t* mapped = nullptr;
  const utf8proc_ssize_t size =
      utf8proc_map(bytes(text), static_cast<utf8proc_ssize_t>(text.size()), &mapped,
                   static_cast<utf8proc_option_t>(options));
  const std::unique_ptr<std::uint8_t, decltype(&std::free)> owner(mapped, &std::free);
  if (size == UTF8PROC_ERROR_INVALIDUTF8) throw InvalidUtf8(valid_prefix(text));
  if (size == UTF8PROC_ERROR_NOMEM) throw std::bad_alloc();
  if (size < 0) throw std::runtime_error(utf8proc_errmsg(size));

  const std::string_view result(reinterpret_cast<const char*>(mapped),
                                static_cast<std::size_t>(size));
  return how.whitespace == Whitespace::Collapse ? collapse_white_space(result)
                                                : std::string(result);
}
