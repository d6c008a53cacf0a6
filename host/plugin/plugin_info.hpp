// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "flow/plugin.h"
#include "flow/v1/plugin_info.pb.h"

namespace flow::host {

struct AbiVersion {
  std::uint32_t major = FLOW_ABI_MAJOR;
  std::uint32_t minor = FLOW_ABI_MINOR;
};

// The text of a note without the NULs that end and pad it.
std::string_view metadata_text(std::string_view note);

// Reads a plugin's metadata and checks it against itself and against the ABI that this host offers
// (rules A5 and A12). A field that this host does not know is refused, unless the plugin was built
// for a newer minor that may have it and says that it runs on an older one.
absl::StatusOr<flow::v1::PluginInfo> parse_plugin_info(std::string_view json,
                                                       AbiVersion host = AbiVersion());

}  // namespace flow::host
