// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/value.hpp"

namespace flow::ctl {

struct YamlDocument {
  // Typed as Python's YAML does, which is version 1.1: "yes" is true. What stands in a map has the
  // place of its key, everything else its own.
  core::Value root;
  // Tags of the writer's own ("!Flow"), which are not in the tree.
  std::vector<std::pair<core::Location, std::string>> tags;
};

// Reads one document. It may be hostile: size, depth, and how much aliases make of it are bounded.
// The error's message is "file:line:column: what is wrong", or "file: what is wrong" if it is all
// of it.
absl::StatusOr<YamlDocument> read_yaml(std::string_view text, std::string_view file);

}  // namespace flow::ctl
