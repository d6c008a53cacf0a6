// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flow::wire {

// google.protobuf.Timestamp: since 1970 in UTC.
struct Timestamp {
  std::int64_t seconds = 0;
  std::int64_t nanos = 0;  // 0 to 999'999'999, forward also before 1970
};

// The two ways to say UTC.
enum class Zone : std::uint8_t { Offset, Z };

// `2026-11-22T06:59:16.307488+00:00` or `...Z`: always microseconds. nullopt outside of the years 1
// to 9999, which is all a Timestamp may hold.
std::optional<std::string> format_time(Timestamp time, Zone zone);

// RFC 3339 with up to nine digits of a second and any offset.
std::optional<Timestamp> parse_time(std::string_view text);

}  // namespace flow::wire
