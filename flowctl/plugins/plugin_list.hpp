// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "host/plugin/inspect.hpp"

namespace flow::ctl {

// A file that an executor's `uses` could mean, inspected without running any of its code.
struct FoundPlugin {
  std::string name;  // what `uses` would be
  std::string path;
  absl::StatusOr<host::PluginFacts> facts;  // or why it is refused
  std::string hidden_by;                    // the file that is found first by this name, if any
};

struct PluginList {
  std::vector<FoundPlugin> plugins;
  std::vector<std::string> unreadable;  // "folder: why"

  // Would every file be taken, and was every folder read?
  bool in_order() const;
};

// What is found in these folders, in the order in which they are searched.
PluginList list_plugins(const std::vector<std::string>& folders);

// For people: a table, then what is refused and why. `width`: of the terminal, or 0.
std::string plugins_text(const PluginList& list, std::size_t width);
// For programs: an object with "plugins" and "refused".
std::string plugins_json(const PluginList& list);

// Everything that one plugin says of itself, and what its file says of it.
std::string describe_text(const std::string& path, const host::PluginFacts& facts);
std::string describe_json(const std::string& path, const host::PluginFacts& facts);

}  // namespace flow::ctl
