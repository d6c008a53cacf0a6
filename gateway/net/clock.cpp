// SPDX-License-Identifier: Apache-2.0
#include "gateway/net/clock.hpp"

namespace flow::gateway {

Clock::time_point Clock::now() noexcept { return std::chrono::steady_clock::now(); }

std::chrono::system_clock::time_point Clock::wall() noexcept {
  return std::chrono::system_clock::now();
}

}  // namespace flow::gateway
