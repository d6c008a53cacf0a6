// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "client/src/deadline.hpp"
#include "flow/client.hpp"

namespace flow::client {

struct HttpAnswer {
  unsigned status = 0;
  std::string body;
};

// One GET over a connection of its own, for what is not in the client's protocols. The address's
// protocol does not matter: a gateway speaks all of them on one port. An error if there was no
// answer, or one larger than options.max_message.
absl::StatusOr<HttpAnswer> http_get(const ServerAddress& address, const ClientOptions& options,
                                    std::string_view target, Deadline deadline);

}  // namespace flow::client
