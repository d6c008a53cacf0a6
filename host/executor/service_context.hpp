// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>

#include "host/executor/answer.hpp"
#include "host/executor/call_pool.hpp"
#include "host/executor/dispatcher.hpp"

namespace flow::host {

// What the services of one executor share. Thread-safe.
struct ServiceContext {
  const Identity& self;
  CallPool& pool;
  Dispatcher& dispatcher;
  Attendant& attendant;
  std::uint64_t bytes_max;                // of a message
  std::chrono::nanoseconds stream_stall;  // what a client may take to read one of several answers
};

}  // namespace flow::host
