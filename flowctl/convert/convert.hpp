// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace flow::ctl {

struct Conversion {
  std::string toml;
  // What could not be carried over: "flow.yml:12: shards: ... has no counterpart: ...", one each,
  // in the file's order.
  std::vector<std::string> notes;
};

// Jina's flow YAML as a flow.toml that core::parse_config takes. What this version's configuration
// refuses is left out and noted, so that a feature is converted as soon as there is one. An error:
// the text is no flow YAML. `file` is what messages call it.
absl::StatusOr<Conversion> convert_flow(std::string_view yaml, const std::string& file);

}  // namespace flow::ctl
