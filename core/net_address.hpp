// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace flow::core {

// Where a server listens: a host and a port, or the path of a Unix socket.
struct NetAddress {
  std::string host = {};  // a name or an IP address without brackets
  std::uint16_t port = 0;
  std::string unix_path = {};  // not empty: a Unix socket, and the other two do not count

  bool is_unix() const { return !unix_path.empty(); }
  bool operator==(const NetAddress&) const = default;
};

// "localhost:80", "10.0.0.1:80", "[::1]:80" or "unix:/path".
absl::StatusOr<NetAddress> parse_address(std::string_view text);

// What parse_address reads; an IPv6 address gets its brackets.
std::string format_address(const NetAddress& address);

}  // namespace flow::core
