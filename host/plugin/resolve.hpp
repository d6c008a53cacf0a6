// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/config.hpp"
#include "flow/v1/plugin_info.pb.h"
#include "google/protobuf/struct.pb.h"

namespace flow::host {

// An executor's plugin, found and inspected without running any of its code.
struct ResolvedPlugin {
  std::string path;  // absolute
  flow::v1::PluginInfo info;
  std::string build_id;             // hexadecimal; empty if the linker wrote none
  google::protobuf::Struct config;  // uses_with, checked against info.config, defaults filled in
};

// The plugin of each executor, in the order of config.executors. An error's message holds what is
// wrong with all of them, one line each, with the place in the file.
absl::StatusOr<std::vector<ResolvedPlugin>> resolve_plugins(const core::FlowConfig& config);

}  // namespace flow::host
