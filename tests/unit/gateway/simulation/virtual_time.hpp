// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "gateway/net/clock.hpp"

namespace flow::gateway {

// The time of everything in this program, the gateway's Clock included: it stands still until
// somebody moves it.
struct VirtualTime {
  static void begin();  // a history
  static void advance_to(Clock::time_point when);
  static Clock::duration passed();  // since its beginning
};

// What the simulated world does, and when: in the order of time, and of arrival at one time.
class Schedule {
 public:
  void at(Clock::time_point when, std::function<void()> what) {
    pending_.emplace(when, std::move(what));
  }
  void in(Clock::duration delay, std::function<void()> what) {
    at(Clock::now() + delay, std::move(what));
  }
  std::optional<Clock::time_point> next() const {
    if (pending_.empty()) return std::nullopt;
    return pending_.begin()->first;
  }
  void run_one() {
    const auto what = std::move(pending_.begin()->second);
    pending_.erase(pending_.begin());
    what();
  }
  void clear() { pending_.clear(); }

 private:
  std::multimap<Clock::time_point, std::function<void()>> pending_;
};

}  // namespace flow::gateway
