// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace flow::core {

// The first `max` bytes of a file; all of it, if it is no larger.
absl::StatusOr<std::string> read_file(const std::string& file, std::size_t max);
// The same of one that is open already, from where it stands; `file` is what errors call it.
absl::StatusOr<std::string> read_file(int fd, const std::string& file, std::size_t max);

}  // namespace flow::core
