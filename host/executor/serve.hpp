// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config.hpp"

namespace flow::host {

// One executor replica to serve in this process.
struct ServeSpec {
  std::string executor;
  std::uint32_t replica = 0;
  std::string tcp_address;  // "0.0.0.0:12346"; port 0: any free one
  std::string unix_path;    // also serve here; empty: do not
};

// Loads the plugins, creates the executors, serves each on its own addresses until SIGTERM or
// SIGINT, drains, and returns the process's exit status. Tells its parent how it gets on by the
// notify protocol of core/notify.hpp. Call once, from main(), before any thread exists.
int serve_executors(const core::FlowConfig& config, const std::vector<ServeSpec>& specs);

}  // namespace flow::host
