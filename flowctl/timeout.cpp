// SPDX-License-Identifier: Apache-2.0
#include "flowctl/timeout.hpp"

#include <string>

#include "core/limits.hpp"
#include "core/status.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "fmt/format.h"

namespace flow::ctl {

absl::StatusOr<std::chrono::nanoseconds> parse_timeout(std::string_view text) {
  if (text == "-1") return core::limits::kDurationMax;
  const bool only_digits =
      !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
  const auto duration =
      core::parse_duration(only_digits ? std::string(text) + "ms" : std::string(text));
  if (duration.ok() && *duration > std::chrono::nanoseconds(0)) return *duration;
  return core::error(
      absl::StatusCode::kInvalidArgument,
      fmt::format("{} is no time-out: expected milliseconds (3000), a duration (\"3s\") of at most "
                  "a year, or -1 to wait forever",
                  core::in_quotes(text)));
}

}  // namespace flow::ctl
