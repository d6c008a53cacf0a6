// SPDX-License-Identifier: Apache-2.0
#include "flowctl/table.hpp"

#include <algorithm>

#include "core/text.hpp"

namespace flow::ctl {
namespace {

// `line` as wide as the terminal at most; "…" stands for what is missing.
std::string cut(std::string line, std::size_t width) {
  if (width == 0 || core::terminal_columns(line) <= width) return line;
  std::string_view rest = line;
  std::string result;
  std::size_t used = 0;
  while (!rest.empty()) {
    const std::string_view glyph =
        rest.substr(0, std::max<std::size_t>(core::utf8_length(rest), 1));
    used += core::terminal_columns(glyph);
    if (used > width - 1) break;
    result += glyph;
    rest.remove_prefix(glyph.size());
  }
  return result + "\u2026";
}

}  // namespace

std::string format_table(const std::vector<Column>& columns,
                         const std::vector<std::vector<std::string>>& rows, std::size_t width) {
  std::vector<std::vector<std::string>> cells(1);
  for (const Column& column : columns) cells[0].emplace_back(column.title);
  for (const auto& row : rows) {
    auto& line = cells.emplace_back();
    for (const std::string& cell : row) line.push_back(core::one_line(cell));
  }
  std::vector<std::size_t> widths(columns.size());
  for (const auto& line : cells) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      widths[i] = std::max(widths[i], core::terminal_columns(line[i]));
    }
  }

  std::string text;
  for (const auto& line : cells) {
    std::string row;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const std::string blanks(widths[i] - core::terminal_columns(line[i]), ' ');
      if (i > 0) row += "  ";
      row += columns[i].align == Align::Right ? blanks + line[i] : line[i] + blanks;
    }
    row.resize(row.find_last_not_of(' ') + 1);
    text += cut(std::move(row), width) + '\n';
  }
  return text;
}

}  // namespace flow::ctl
