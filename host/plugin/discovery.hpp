// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace flow::host {

// A file that looks like a plugin's, and the name by which a configuration can ask for it.
struct PluginFile {
  std::string name;
  std::string path;
};

// Those of a folder, sorted by name. The error says why the folder cannot be read.
absl::StatusOr<std::vector<PluginFile>> plugin_files(const std::string& folder);

// Finds the file of a plugin that a configuration names: NAME.so or libNAME.so in the first of the
// folders that has either. A name with a '/' is a path already. The error lists what was found
// where, and what was probably meant.
absl::StatusOr<std::string> find_plugin(const std::string& uses,
                                        const std::vector<std::string>& folders);

}  // namespace flow::host
