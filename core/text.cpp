// SPDX-License-Identifier: Apache-2.0
#include "core/text.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <numeric>

#include "fmt/format.h"

namespace flow::core {
namespace {

// Longer words are no slips of the finger, and the distance takes quadratic time.
constexpr std::size_t kWordMax = 64;

// Insertions, deletions, replacements and swaps of neighbours ("prot" is one away from "port").
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});

  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
    before_last.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

// Skips what is most of every text, eight bytes at a time.
std::size_t ascii_prefix(std::string_view text) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  std::size_t length = 0;
  while (text.size() - length >= sizeof(std::uint64_t)) {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, text.data() + length, sizeof(bytes));
    if ((bytes & kHighBits) != 0) break;
    length += sizeof(bytes);
  }
  return length;
}

struct CodePoint {
  std::size_t length = 0;  // in bytes; 0: not UTF-8
  utf8proc_int32_t value = -1;
};

CodePoint first_code_point(std::string_view text) {
  constexpr std::size_t kLongest = 4;
  CodePoint result;
  const utf8proc_ssize_t length = utf8proc_iterate(
      reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
      static_cast<utf8proc_ssize_t>(std::min(text.size(), kLongest)), &result.value);
  if (length > 0) result.length = static_cast<std::size_t>(length);
  return result;
}

bool is_control(CodePoint code_point) {
  return utf8proc_category(code_point.value) == UTF8PROC_CATEGORY_CC;
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return result;
}

std::optional<std::string> did_you_mean(std::string_view word,
                                        const std::vector<std::string>& candidates) {
  if (word.size() > kWordMax) return std::nullopt;
  const std::string wanted = lower_case(word);

  std::optional<std::string> best;
  std::size_t best_distance = 0;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kWordMax) continue;
    const std::size_t distance = edit_distance(wanted, lower_case(candidate));
    const bool close = distance * 3 <= std::max(wanted.size(), candidate.size());
    if (close && (!best || distance < best_distance)) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string suggestion(std::string_view word, const std::vector<std::string>& candidates) {
  const std::optional<std::string> meant = did_you_mean(word, candidates);
  return meant ? fmt::format(" (did you mean \"{}\"?)", *meant) : std::string();
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kShown = 100;
  if (text.size() <= kShown) return fmt::format("\"{}\"", escape_json(text));
  std::size_t cut = kShown;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;
  return fmt::format("\"{}\u2026\"", escape_json(text.substr(0, cut)));
}

std::string one_line(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const CodePoint first = first_code_point(text);
    const char c = text.front();
    if (c == '\n') {
      result += "\\n";
    } else if (c == '\t') {
      result += "\\t";
    } else if (first.length == 0 || (first.length == 1 && is_control(first))) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else if (is_control(first)) {
      result += fmt::format("\\u{:04x}", first.value);
    } else {
      result += text.substr(0, first.length);
    }
    text.remove_prefix(std::max<std::size_t>(first.length, 1));
  }
  return result;
}

std::string error_lines(std::string_view message) {
  std::string lines;
  while (!message.empty()) {
    const std::size_t end = message.find('\n');
    const std::string_view line = message.substr(0, end);
    if (!line.empty()) lines += fmt::format("error: {}\n", line);
    message.remove_prefix(end == std::string_view::npos ? message.size() : end + 1);
  }
  return lines;
}

std::size_t terminal_columns(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const CodePoint first = first_code_point(text);
    columns += static_cast<std::size_t>(std::max(utf8proc_charwidth(first.value), 0));
    text.remove_prefix(std::max<std::size_t>(first.length, 1));
  }
  return columns;
}

std::size_t utf8_length(std::string_view text) { return first_code_point(text).length; }

std::string_view cut(std::string_view text, std::size_t bytes_max) {
  std::size_t size = 0;
  while (size < text.size()) {
    const std::size_t next = size + std::max<std::size_t>(utf8_length(text.substr(size)), 1);
    if (next > bytes_max) break;
    size = next;
  }
  return text.substr(0, size);
}

bool is_valid_utf8(std::string_view text) {
  while (!text.empty()) {
    text.remove_prefix(ascii_prefix(text));
    if (text.empty()) break;
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string escape_json(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const std::string_view piece = text.substr(0, std::max<std::size_t>(length, 1));
    text.remove_prefix(piece.size());

    const char c = piece.front();
    if (length == 0) {
      result += "\uFFFD";
    } else if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else if (c == '\t') {
      result += "\\t";
    } else if (c == '\r') {
      result += "\\r";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      fmt::format_to(std::back_inserter(result), "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      result += piece;
    }
  }
  return result;
}

}  // namespace flow::core
