// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/config.hpp"
#include "core/net_address.hpp"

namespace flow::gateway {

// Serves the gateway of a Flow until SIGTERM or SIGINT, drains, and returns the process's exit
// status. Under flow-host ($FLOW_CONTROL_FD is set) it is told where the executors are; by itself
// it goes by the file. Call once, from main(), before any thread exists.
int run_gateway(const core::FlowConfig& config, const core::NetAddress& listen);

}  // namespace flow::gateway
