// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace flow::gateway {

// All of the gateway's time: nothing in it asks another clock. Defined in a file of its own, so
// that a simulation (tests/unit/gateway/simulation) is linked with another one and lives on its own
// time. Thread-safe.
struct Clock {
  using duration = std::chrono::steady_clock::duration;
  using time_point = std::chrono::steady_clock::time_point;

  static time_point now() noexcept;                              // to reckon with
  static std::chrono::system_clock::time_point wall() noexcept;  // to tell people
};

}  // namespace flow::gateway
