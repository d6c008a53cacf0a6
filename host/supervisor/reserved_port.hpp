// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "core/unique_fd.hpp"

namespace flow::host {

// A TCP port that is ours for as long as this lives, though nobody listens on it yet: connecting is
// refused, strangers cannot bind it, and our own processes (same user, SO_REUSEPORT, as gRPC and
// flow-gateway do) can. docs/decisions/0009-ports-are-reserved-by-the-supervisor.md says why.
struct ReservedPort {
  core::UniqueFd socket;
  std::string address;  // "0.0.0.0:12346", the port as it is now known
};

// Port 0: any free one. kAlreadyExists if somebody has the port.
absl::StatusOr<ReservedPort> reserve_port(const std::string& host, std::uint16_t port);

// The first IPv4 address of this machine that others may reach, or empty.
std::string first_private_ip();

}  // namespace flow::host
