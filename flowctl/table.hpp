// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace flow::ctl {

enum class Align { Left, Right };
struct Column {
  std::string_view title;
  Align align = Align::Left;
};

// Columns under their titles, two blanks apart, with line breaks. Control characters in a cell are
// escaped. `width`: of the terminal, at which rows are cut; 0: they are as long as they are.
std::string format_table(const std::vector<Column>& columns,
                         const std::vector<std::vector<std::string>>& rows, std::size_t width);

}  // namespace flow::ctl
