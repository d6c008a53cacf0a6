// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <string_view>

// What is said of a plugin that got stuck: sentences without a full stop.
namespace flow::host {

// `call "3f2a" at /index made no progress for 30.0 s (hang_budget)`; both words are the caller's.
enum class Where { InProcess, Pending };
std::string stuck_call_text(std::string_view request_id, std::string_view endpoint, Where where,
                            std::chrono::nanoseconds silent);

// `create() of plugin "encoder" did not return within 60 s (timeout_ready)`
std::string stuck_create_text(std::string_view plugin, std::chrono::nanoseconds timeout_ready);

// `health() of plugin "encoder" has not returned for 3.0 s, it has 3 s`
std::string stuck_function_text(std::string_view function, std::string_view plugin,
                                std::chrono::nanoseconds silent, std::chrono::nanoseconds budget);

}  // namespace flow::host
