// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>

namespace flow::core {

// "2026-11-22T08:15:30.123Z"
std::string utc_text(std::chrono::system_clock::time_point time);

}  // namespace flow::core
