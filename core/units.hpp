// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

// Quantities with a unit, as configuration files and command lines have them.
namespace flow::core {

// "250ms", "5s", "2m": a whole number and ns, us, ms, s, m or h; not longer than a year, so that
// adding it to any clock is safe.
absl::StatusOr<std::chrono::nanoseconds> parse_duration(std::string_view text);

// "64MiB", "10kB": a whole number and B, kB, MB, GB, KiB, MiB or GiB.
absl::StatusOr<std::uint64_t> parse_size(std::string_view text);
// "64 MiB", "1500 B": in the largest unit of which it is a whole number.
std::string size_text(std::uint64_t bytes);

}  // namespace flow::core
