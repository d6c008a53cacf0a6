// SPDX-License-Identifier: Apache-2.0
#include "flowctl/log_format.hpp"

#include <algorithm>
#include <utility>

#include "core/text.hpp"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace flow::ctl {
namespace {

constexpr std::size_t kDetailIndent = 8;  // a tab's
constexpr std::size_t kTimeColumns = 20;  // with the blank before it
// A narrower terminal breaks lines by itself: there is nothing to be gained by doing it for it.
constexpr std::size_t kTextColumnsMin = 20;

// As many bytes of `text` as fit into `columns`, at least one code point.
std::size_t fitting(std::string_view text, std::size_t columns) {
  std::size_t bytes = 0;
  std::size_t used = 0;
  while (bytes < text.size()) {
    const std::size_t length = std::max<std::size_t>(core::utf8_length(text.substr(bytes)), 1);
    used += core::terminal_columns(text.substr(bytes, length));
    if (used > columns && bytes > 0) break;
    bytes += length;
  }
  return bytes;
}

}  // namespace

std::vector<std::string> wrap(std::string_view text, std::size_t columns) {
  const std::string clean = core::one_line(text);
  std::string_view rest = clean;
  std::vector<std::string> lines;
  do {
    std::size_t cut = fitting(rest, columns);
    if (cut < rest.size() && rest[cut] != ' ') {
      const std::size_t blank = rest.substr(0, cut).rfind(' ');
      // A blank of the indentation is no place to break at.
      if (blank != rest.npos && rest.find_first_not_of(' ') < blank) cut = blank;
    }
    std::string_view line = rest.substr(0, cut);
    rest.remove_prefix(cut);
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    line = line.substr(0, line.find_last_not_of(' ') + 1);
    lines.emplace_back(line);
  } while (!rest.empty());
  return lines;
}

std::string LogFormat::lines(const Message& message, std::chrono::system_clock::time_point time,
                             Paper paper) {
  if (paper.width == 0) {
    const std::string text =
        message.details.empty()
            ? message.text
            : fmt::format("{} {}", message.text, fmt::join(message.details, "; "));
    return core::text_line({message.level, name_, pid_, text, time}, 0, paper.colour);
  }

  const std::string time_text = core::local_time_text(time);
  const bool shows_time = std::exchange(last_time_, time_text) != time_text;
  const std::size_t around = core::kLevelColumns + (shows_time ? kTimeColumns : 0);
  const std::size_t columns = std::max(paper.width, around + kTextColumnsMin) - around;
  std::vector<std::string> rows = wrap(fmt::format("{}@{} {}", name_, pid_, message.text), columns);
  for (const std::string& detail : message.details) {
    for (std::string& row : wrap(std::string(kDetailIndent, ' ') + detail, columns)) {
      rows.push_back(std::move(row));
    }
  }

  std::string result = core::level_column(message.level, paper.colour) + rows.front();
  if (shows_time) {
    result.append(columns - std::min(columns, core::terminal_columns(rows.front())) + 1, ' ');
    result += time_text;
  }
  for (std::size_t i = 1; i < rows.size(); ++i) {
    result += fmt::format("\n{:{}}{}", "", core::kLevelColumns, rows[i]);
  }
  return result + '\n';
}

}  // namespace flow::ctl
