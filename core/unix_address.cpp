// SPDX-License-Identifier: Apache-2.0
#include "core/unix_address.hpp"

#include <sys/socket.h>

#include "core/status.hpp"
#include "fmt/format.h"

namespace flow::core {

absl::StatusOr<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return error(absl::StatusCode::kInvalidArgument,
                 fmt::format("{}: {} bytes are too long for the address of a socket, which has "
                             "room for {}",
                             path, path.size(), sizeof address.sun_path - 1));
  }
  path.copy(address.sun_path, path.size());
  return address;
}

}  // namespace flow::core
