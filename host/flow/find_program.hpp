// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/config.hpp"

namespace flow::host {

// Where flow-host is: `wanted` if it is not empty, else $FLOW_HOST, else beside this program, else
// where it was installed to, else on the PATH. The error says where it was looked for.
absl::StatusOr<std::string> find_flow_host(const std::string& wanted,
                                           const core::Environment& environment);

// The folders with plugins that belong to a flow-host: beside its folder, as installed or as built.
std::vector<std::string> plugin_folders_of(const std::string& flow_host);

}  // namespace flow::host
