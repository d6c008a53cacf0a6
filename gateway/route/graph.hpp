// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "core/config.hpp"

namespace flow::gateway {

// The executors in the order in which a request passes through them. The configuration is checked:
// in this version its graph is a chain.
std::vector<const core::ExecutorConfig*> chain(const core::FlowConfig& config);

}  // namespace flow::gateway
