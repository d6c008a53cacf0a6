// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace flow::core {

// The first `max` bytes of a file; all of it, if it is no larger.
absl::StatusOr<std::string> read_file(const std::string& file, std::size_t max);

}  // namespace flow::core
