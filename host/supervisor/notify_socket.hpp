// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "core/notify.hpp"
#include "core/unique_fd.hpp"

namespace flow::host {

// Where children send their notify messages: an abstract Unix socket, so that nothing of it is left
// behind. The kernel, not the sender, says who sent a message. Confined to its loop.
class NotifySocket {
 public:
  struct Received {
    pid_t sender = 0;
    core::NotifyMessage message;
  };

  static absl::StatusOr<NotifySocket> create();

  // As $NOTIFY_SOCKET has it.
  const std::string& address() const { return address_; }
  int fd() const { return socket_.get(); }

  // The next message that waits; never blocks. Datagrams that are no notify message are skipped.
  std::optional<Received> receive();

 private:
  NotifySocket(core::UniqueFd socket, std::string address)
      : socket_(std::move(socket)), address_(std::move(address)) {}

  core::UniqueFd socket_;
  std::string address_;
};

}  // namespace flow::host
