// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "flow/v1/plugin_info.pb.h"

namespace flow::host {

struct PluginFacts {
  flow::v1::PluginInfo info;
  std::string metadata;  // the JSON that info was read from
  std::string build_id;  // hexadecimal; empty if the linker wrote none
  std::vector<std::string> needed;
};

// Everything that can be known of a plugin without running any of its code. Refuses what could not
// be loaded, or would harm the host if it were.
absl::StatusOr<PluginFacts> inspect_plugin(const std::string& path);

}  // namespace flow::host
