// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "core/config.hpp"

namespace flow::host {

// Brings up the whole Flow (a process per executor replica and the gateway), keeps it up until
// SIGTERM or SIGINT, stops it in order, and returns the process's exit status. Call once, from
// main(), before any thread exists.
int supervise(const core::FlowConfig& config);

// Says whether the Flow's plugins and the files of its gateway are in order, all that is wrong at
// once, and returns the process's exit status. Serves nothing.
int check(const core::FlowConfig& config);

}  // namespace flow::host
