// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/un.h>

#include <string>

#include "absl/status/statusor.h"

namespace flow::core {

// The address of a Unix socket by its path. kInvalidArgument if the path is too long for one.
absl::StatusOr<sockaddr_un> unix_address(const std::string& path);

}  // namespace flow::core
