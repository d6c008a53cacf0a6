// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "core/config.hpp"

namespace flow::host {

// Holds this process to limits, for good and for what it starts. Call before any thread exists.
// `turn` chooses the cores: neighbours in turn get different ones while there are enough.
absl::Status apply_limits(const core::ProcessLimits& limits, std::size_t turn);

}  // namespace flow::host
