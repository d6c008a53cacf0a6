// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace flow {

enum class Protocol { Grpc, Http, WebSocket };

// Whom to ask, and how. The default is flow-host's default.
struct ServerAddress {
  Protocol protocol = Protocol::Grpc;
  std::string host = "localhost";  // a name or an IP address, without brackets
  std::uint16_t port = 12345;
  bool tls = false;

  bool operator==(const ServerAddress&) const = default;
};

// "grpc://localhost:12345". Schemes: grpc, http, ws (or websocket), and with TLS grpcs, https, wss;
// none means grpc. Without a port it is 80 for http and ws, 443 for https and wss, and 12345 for
// grpc and grpcs, which have none of their own. Anything after the port but a "/" is refused.
absl::StatusOr<ServerAddress> parse_url(std::string_view url);

// What parse_url reads, the port always given.
std::string format_url(const ServerAddress& address);

}  // namespace flow
