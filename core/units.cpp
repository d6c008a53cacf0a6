// SPDX-License-Identifier: Apache-2.0
#include "core/units.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <span>

#include "core/limits.hpp"
#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"

namespace flow::core {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array<Unit, 6> kDurations = {{{"ns", 1},
                                             {"us", 1'000},
                                             {"ms", 1'000'000},
                                             {"s", 1'000'000'000},
                                             {"m", 60'000'000'000},
                                             {"h", 3'600'000'000'000}}};

constexpr std::array<Unit, 7> kSizes = {{{"B", 1},
                                         {"kB", 1'000},
                                         {"MB", 1'000'000},
                                         {"GB", 1'000'000'000},
                                         {"KiB", std::uint64_t{1} << 10},
                                         {"MiB", std::uint64_t{1} << 20},
                                         {"GiB", std::uint64_t{1} << 30}}};

struct Kind {
  std::string_view name;
  std::string_view example;
  std::span<const Unit> units;
  std::uint64_t max;
  std::string_view max_text;
};

absl::Status refusal(const Kind& kind, std::string_view text, std::string_view why) {
  return error(absl::StatusCode::kInvalidArgument,
               fmt::format("{} is not a {}: {}", in_quotes(text), kind.name, why));
}

absl::StatusOr<std::uint64_t> parse_quantity(const Kind& kind, std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit_name = text.substr(static_cast<std::size_t>(end - text.data()));
  const absl::Status too_large =
      refusal(kind, text, fmt::format("it is larger than {}", kind.max_text));
  if (failure == std::errc::result_out_of_range) return too_large;

  for (const Unit& unit : kind.units) {
    if (failure != std::errc() || unit.name != unit_name) continue;
    if (number > kind.max / unit.factor) return too_large;
    return number * unit.factor;
  }

  std::string names;
  for (const Unit& unit : kind.units)
    names += fmt::format("{}{}", names.empty() ? "" : ", ", unit.name);
  return refusal(
      kind, text,
      fmt::format("expected a whole number and a unit ({}), as in \"{}\"", names, kind.example));
}

}  // namespace

absl::StatusOr<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  constexpr std::uint64_t kMax = std::chrono::nanoseconds(limits::kDurationMax).count();
  const Kind kind{"duration", "250ms", kDurations, kMax, "a year"};
  FLOW_ASSIGN_OR_RETURN(const std::uint64_t count, parse_quantity(kind, text));
  return std::chrono::nanoseconds(count);
}

absl::StatusOr<std::uint64_t> parse_size(std::string_view text) {
  const Kind kind{"size", "64MiB", kSizes, std::numeric_limits<std::uint64_t>::max(), "2^64 bytes"};
  return parse_quantity(kind, text);
}

std::string size_text(std::uint64_t bytes) {
  for (const std::string_view name : {"GiB", "MiB", "KiB"}) {
    const auto unit = std::ranges::find(kSizes, name, &Unit::name);
    if (bytes != 0 && bytes % unit->factor == 0) {
      return fmt::format("{} {}", bytes / unit->factor, name);
    }
  }
  return fmt::format("{} B", bytes);
}

}  // namespace flow::core
