// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "flow/json.hpp"

namespace flow::ctl {

// What `flowctl status` shows of what GET /executors answers: the verdict, then a row for each
// replica. What the answer lacks is shown as "-". `width`: of the terminal, or 0.
std::string status_table(std::string_view url, const Json& report, std::size_t width);

// How long something has lasted: "4s", "12m", "3h", "5d".
std::string age_text(std::chrono::nanoseconds age);

// What core::utc_text wrote.
std::optional<std::chrono::system_clock::time_point> parse_utc(std::string_view text);

}  // namespace flow::ctl
