// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>

namespace flow::core {

// "2026-11-22T08:15:30.123Z"
std::string utc_text(std::chrono::system_clock::time_point time);

// "60 s", "1.5 s", "250 ms"
std::string duration_text(std::chrono::nanoseconds duration);

}  // namespace flow::core
