// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace flow::host {

// An instant on both clocks: the steady one decides, the wall clock is what people read. Taken once
// per event, so that all that follows from it agrees.
struct Moment {
  std::chrono::steady_clock::time_point steady;
  std::chrono::system_clock::time_point wall;

  static Moment now() {
    return {std::chrono::steady_clock::now(), std::chrono::system_clock::now()};
  }
  Moment operator+(std::chrono::nanoseconds later) const { return {steady + later, wall + later}; }
};

}  // namespace flow::host
