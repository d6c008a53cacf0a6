// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/gateway/simulation/virtual_time.hpp"

#include <algorithm>

namespace flow::gateway {
namespace {

constexpr Clock::time_point kBeginning(std::chrono::hours(100));
constexpr std::chrono::system_clock::time_point kWallAtBeginning(std::chrono::hours(500'000));

Clock::time_point virtual_now = kBeginning;

}  // namespace

// Instead of those of gateway/net/clock.cpp, which the linker then leaves out.
Clock::time_point Clock::now() noexcept { return virtual_now; }
std::chrono::system_clock::time_point Clock::wall() noexcept {
  return kWallAtBeginning + VirtualTime::passed();
}

void VirtualTime::begin() { virtual_now = kBeginning; }
void VirtualTime::advance_to(Clock::time_point when) { virtual_now = std::max(virtual_now, when); }
Clock::duration VirtualTime::passed() { return virtual_now - kBeginning; }

}  // namespace flow::gateway
