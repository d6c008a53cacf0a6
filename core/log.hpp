// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "core/config.hpp"
#include "spdlog/spdlog.h"

namespace flow::core {

using Logger = std::shared_ptr<spdlog::logger>;

// A logger that writes one line per message to standard error with a single write, so that the
// lines of several processes on one stream do not tear. `name` is what stands before "@pid":
// "gateway/rep-0", "executor0/rep-1", "flow-host". Thread-safe.
//   text: DEBUG  executor0/rep-0@19059 start listening on 0.0.0.0:12346    [05/31/22 18:10:16]
//   json: {"time":"2022-05-31T18:10:16.123Z","level":"debug","name":"executor0/rep-0","pid":19059,
//          "message":"start listening on 0.0.0.0:12346"}
Logger make_logger(std::string_view name, const LogConfig& config);

// The [log] of the file, with FLOW_LOG_LEVEL, or else JINA_LOG_LEVEL, from the environment in place
// of its level. An unknown level there is an error that names the variable.
absl::StatusOr<LogConfig> effective_log_config(const LogConfig& config,
                                               const Environment& environment);

}  // namespace flow::core
