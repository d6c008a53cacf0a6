// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "core/config.hpp"

namespace flow::core {

// Replaces `${VAR}` by the variable, `${VAR:-text}` by the variable or, if it is unset or empty, by
// the text, and `$$` by a dollar. Any other dollar is an error: it may be a forgotten brace.
absl::StatusOr<std::string> expand(std::string_view text, const Environment& environment);

}  // namespace flow::core
