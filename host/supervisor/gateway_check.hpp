// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "core/config.hpp"

namespace flow::host {

// Are the files that only the gateway reads, those of TLS, in order? `program`, the gateway's,
// looks at them and says on standard error what is wrong. An error if it cannot be asked.
absl::StatusOr<bool> check_gateway(const core::FlowConfig& config, const std::string& program);

}  // namespace flow::host
