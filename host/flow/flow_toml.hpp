// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "flow/flow.hpp"

namespace flow::host {

// A Flow that was built in code as the text of a flow.toml. Paths must be absolute already. An
// error if a value has no place in TOML.
absl::StatusOr<std::string> flow_toml(const FlowOptions& options,
                                      const std::vector<ExecutorSpec>& executors);

}  // namespace flow::host
