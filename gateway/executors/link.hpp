// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/net_address.hpp"
#include "gateway/net/session.hpp"

namespace flow::gateway {

// The way to one process: it is dialled, carries a session, and ends. Destroying it ends it without
// a word. Confined to its loop.
class Link {
 public:
  struct End {
    std::string why;            // a sentence for people, without a full stop
    bool process_died = false;  // for certain
  };
  // Told from the loop, never from inside a call into the link.
  struct Events {
    // It stands: makes what it is to carry, which it owns from then on.
    std::function<std::unique_ptr<Session>(OutputSignal& output)> on_connected;
    // It could not be made, or is over; the session is gone. Once; may destroy the link.
    std::function<void(const End& end)> on_end;
  };

  Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  virtual ~Link() = default;

  // As Session::sweep.
  virtual void sweep(Clock::time_point now) = 0;
};

// Makes links. Outlives them. Confined to its loop.
class Dialer {
 public:
  virtual ~Dialer() = default;
  // `name` is how messages name the address.
  virtual std::unique_ptr<Link> dial(const std::string& name, const core::NetAddress& address,
                                     Link::Events events) = 0;
};

}  // namespace flow::gateway
