// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string_view>

#include "absl/status/statusor.h"

namespace flow::ctl {

// What people write after --timeout: milliseconds as for Jina ("3000"), a duration with its unit
// ("3s"), or -1 for as long as it takes, which is a year.
absl::StatusOr<std::chrono::nanoseconds> parse_timeout(std::string_view text);

}  // namespace flow::ctl
