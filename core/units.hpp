// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"

// Quantities with a unit, as configuration files and command lines have them.
namespace flow::core {

// "250ms", "5s", "2m": a whole number and ns, us, ms, s, m or h; not longer than a year, so that
// adding it to any clock is safe.
absl::StatusOr<std::chrono::nanoseconds> parse_duration(std::string_view text);

// "64MiB", "10kB": a whole number and B, kB, MB, GB, KiB, MiB or GiB.
absl::StatusOr<std::uint64_t> parse_size(std::string_view text);

}  // namespace flow::core
