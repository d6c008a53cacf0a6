// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "core/config.hpp"

namespace flow::host {

// Brings up the whole Flow (a process per executor replica and the gateway), keeps it up until
// SIGTERM or SIGINT, stops it in order, and returns the process's exit status. Call once, from
// main(), before any thread exists.
int supervise(const core::FlowConfig& config);

}  // namespace flow::host
