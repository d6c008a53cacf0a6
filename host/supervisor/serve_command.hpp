// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/config.hpp"
#include "host/executor/serve.hpp"

namespace flow::host {

// What `flow-host --executor NAME... --replica N --listen NAME=ADDRESS...` is to serve: the other
// side of child_command. An executor without a TCP address among `listens` is served where the file
// says. An error's message holds everything that is wrong, one line each.
absl::StatusOr<std::vector<ServeSpec>> serve_specs(const core::FlowConfig& config,
                                                   const std::vector<std::string>& executors,
                                                   std::uint32_t replica,
                                                   const std::vector<std::string>& listens);

}  // namespace flow::host
