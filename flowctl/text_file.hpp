// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace flow::ctl {

// All of a file, or of standard input if it is called "-". An error names it, also if it has more
// bytes than `max`.
absl::StatusOr<std::string> read_text(const std::string& file, std::size_t max);

// Replaces a file.
absl::Status write_text(const std::string& file, std::string_view text);

}  // namespace flow::ctl
