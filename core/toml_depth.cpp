// SPDX-License-Identifier: Apache-2.0
#include "core/toml_depth.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace flow::core {
namespace {

// The length of the string that `text` starts with, its quotes included.
std::size_t string_length(std::string_view text) {
  const char quote = text.front();
  const std::size_t quotes = text.starts_with(std::string(3, quote)) ? 3 : 1;
  const std::string end(quotes, quote);

  std::size_t i = quotes;
  for (; i < text.size(); ++i) {
    if (quotes == 1 && text[i] == '\n') return i;  // not a string after all
    if (text.substr(i).starts_with(end)) break;
    if (text[i] == '\\' && quote == '"') ++i;
  }
  i = std::min(i + quotes, text.size());
  // Up to two quotes may stand before the three that end a text of several lines.
  for (int more = 0; quotes == 3 && more < 2 && i < text.size() && text[i] == quote; ++more) ++i;
  return i;
}

// The length of what `text` starts with and what cannot nest: a string, a comment, or one byte.
std::size_t token_length(std::string_view text) {
  if (text.front() == '"' || text.front() == '\'') return string_length(text);
  if (text.front() == '#') return std::min(text.find('\n'), text.size());
  return 1;
}

Location advanced(Location at, std::string_view over) {
  for (const char c : over) {
    if (c == '\n') {
      ++at.line;
      at.column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) {  // columns count code points
      ++at.column;
    }
  }
  return at;
}

}  // namespace

std::optional<Location> too_deep(std::string_view text, std::size_t max) {
  Location at{.line = 1, .column = 1};
  std::size_t depth = 0;  // open brackets, and the dots of the keys they are values of
  std::vector<std::size_t> dots = {0};  // of the key being read, for each open bracket
  const auto forget_key = [&] {
    depth -= dots.back();
    dots.back() = 0;
  };

  while (!text.empty()) {
    const char c = text.front();
    if (c == '.') {
      ++depth;
      ++dots.back();
    } else if (c == '[' || c == '{') {
      ++depth;
      dots.push_back(0);
    } else if ((c == ']' || c == '}') && dots.size() > 1) {
      forget_key();
      --depth;
      dots.pop_back();
    } else if (c == ',' || (c == '\n' && dots.size() == 1)) {
      forget_key();
    }
    if (depth > max) return at;

    const std::size_t length = token_length(text);
    at = advanced(at, text.substr(0, length));
    text.remove_prefix(length);
  }
  return std::nullopt;
}

}  // namespace flow::core
