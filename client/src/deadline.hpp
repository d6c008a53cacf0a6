// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <string>

#include "core/limits.hpp"
#include "fmt/format.h"

namespace flow::client {

using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;

// Of a wait that begins now. A negative one is over already.
inline Deadline deadline_after(std::chrono::nanoseconds timeout, Deadline now = Clock::now()) {
  return now + std::clamp<std::chrono::nanoseconds>(timeout, std::chrono::nanoseconds(0),
                                                    core::limits::kDurationMax);
}

// gRPC speaks of wall time.
inline std::chrono::system_clock::time_point wall_time(Deadline deadline) {
  return std::chrono::system_clock::now() +
         std::chrono::duration_cast<std::chrono::system_clock::duration>(deadline - Clock::now());
}

// "2.5 s": for people.
inline std::string seconds_text(std::chrono::nanoseconds duration) {
  return fmt::format("{:.3g} s", std::chrono::duration<double>(duration).count());
}

}  // namespace flow::client
