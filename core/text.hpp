// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What several parts need to read and write text for people and for machines.
namespace flow::core {

// Letters of ASCII only; everything else stays.
std::string lower_case(std::string_view text);

// The candidate that somebody who wrote `word` probably meant: the closest by edit distance, if at
// most about a third of its letters differ. Upper and lower case count as equal.
std::optional<std::string> did_you_mean(std::string_view word,
                                        const std::vector<std::string>& candidates);

// ` (did you mean "encoder"?)`, or nothing: the tail of a message about an unknown `word`.
std::string suggestion(std::string_view word, const std::vector<std::string>& candidates);

// A word of somebody else's in one of our messages: between quotes, on one line, cut if it is long.
std::string in_quotes(std::string_view text);

// What would break a line or move a terminal's cursor (control characters, and bytes that are not
// UTF-8) becomes "\n", "\t", "\x1b" or "\u009b"; the rest stays.
std::string one_line(std::string_view text);

// Each line of a message as "error: line\n", as programs print it.
std::string error_lines(std::string_view message);

// How many columns a terminal takes to show a text without control characters.
std::size_t terminal_columns(std::string_view text);

// The bytes of the UTF-8 code point that `text` starts with; 0 if it starts with none.
std::size_t utf8_length(std::string_view text);

bool is_valid_utf8(std::string_view text);

// As much of a text as fits, cut between two characters.
std::string_view cut(std::string_view text, std::size_t bytes_max);

// `text` as it stands between the quotes of a JSON string. What is not UTF-8 becomes U+FFFD.
std::string escape_json(std::string_view text);

}  // namespace flow::core
