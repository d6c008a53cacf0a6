// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "gateway/executors/death_watch.hpp"
#include "gateway/executors/link.hpp"
#include "gateway/net/loop.hpp"

namespace flow::gateway {

// Dials by TCP or by a Unix socket. Behind the latter it also hears of a process's death by its
// life lock. Confined to its loop.
class SocketDialer final : public Dialer {
 public:
  explicit SocketDialer(Loop& loop) : loop_(loop), deaths_(loop.io()) {}
  std::unique_ptr<Link> dial(const std::string& name, const core::NetAddress& address,
                             Link::Events events) override;

 private:
  Loop& loop_;
  DeathWatch deaths_;
};

}  // namespace flow::gateway
