// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "core/config.hpp"

namespace flow::core {

// The graph of a Flow as a Mermaid flowchart: the gateway at both ends, between them the executors
// with their plugins and, if there are several, the number of their replicas.
std::string plot_mermaid(const FlowConfig& config);

}  // namespace flow::core
