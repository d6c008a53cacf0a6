// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "gateway/net/loop.hpp"

namespace flow::gateway {

// Tells the owner of a session's socket that the session has something to write.
class OutputSignal {
 public:
  virtual ~OutputSignal() = default;
  virtual void output_ready() = 0;
};

// A protocol engine without a socket: bytes in, bytes out. Confined to its loop.
class Session {
 public:
  virtual ~Session() = default;

  // Takes what the peer sent, all of it. An error ends the connection once pending output, such as
  // an error answer, was written.
  virtual absl::Status receive(std::string_view bytes) = 0;
  // Does it want no more for now? Its socket is then not read until it has had output to write.
  virtual bool paused() const { return false; }
  // Appends output to `out` while it has any and `out` is below `limit` bytes.
  virtual void produce(std::string& out, std::size_t limit) = 0;
  // True when both sides have said all they will: the connection may be closed.
  virtual bool finished() const = 0;
  // Stop taking new requests, finish the ones there are, then become finished.
  virtual void drain() = 0;
  // Called about once a second: the place for time-outs that need no precision. An error ends the
  // connection as in receive().
  virtual absl::Status sweep(Clock::time_point now) = 0;
  // The connection is gone; whoever waits for an answer over it must hear of it now.
  virtual void disconnected(const absl::Status& why) = 0;
};

}  // namespace flow::gateway
