// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "flow/plugin.h"
#include "flow/v1/plugin_info.pb.h"

namespace flow::host {

// Is the table fit to be called? Its size reaches over the required functions, they are set, its
// flags do not contradict each other, and its metadata is what the note said.
absl::Status check_table(const flow_plugin& table, const flow::v1::PluginInfo& info);

// Loads an inspected plugin and hands out its table, which is valid for the rest of the process:
// nothing is ever unloaded, for a library that other code may still point into cannot be. Call
// before any other thread exists, since static initialisers run now.
absl::StatusOr<const flow_plugin*> load_plugin(const std::string& path,
                                               const flow::v1::PluginInfo& info);

}  // namespace flow::host
