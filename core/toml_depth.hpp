// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "core/value.hpp"

namespace flow::core {

// Where the tables and arrays of a TOML text nest deeper than `max`, counting each dot of a dotted
// key. toml++ recurses without a bound over what dotted keys make, so this comes before it. The
// text need not be valid; what is not is found by its parser.
std::optional<Location> too_deep(std::string_view text, std::size_t max);

}  // namespace flow::core
