// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/config.hpp"

namespace flow::host {

// What a running Flow has to do to become what its file says now.
struct ConfigChange {
  std::vector<std::size_t> executors;  // whose processes are to be replaced; places in `executors`
  bool supervise = false;              // the policy of restarts
  // What cannot change while the Flow runs and did, a sentence each. If there is any, nothing is to
  // be changed: a Flow is always what one version of its file says.
  std::vector<std::string> refused;

  bool nothing() const { return executors.empty() && !supervise && refused.empty(); }
};

ConfigChange compare_configs(const core::FlowConfig& before, const core::FlowConfig& after);

}  // namespace flow::host
