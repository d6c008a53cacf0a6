// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace flow::ctl {

// A text of Jina's YAML with its variables as flow.toml writes them: `$NAME`, `${NAME}` and
// `${{ ENV.NAME }}` become `${NAME}`, any other dollar `$$`. The error's message says which
// variable has no counterpart: those of Jina's context, and references to other places of the file.
absl::StatusOr<std::string> convert_variables(std::string_view text);

}  // namespace flow::ctl
