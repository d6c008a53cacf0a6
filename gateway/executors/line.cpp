// SPDX-License-Identifier: Apache-2.0
#include "gateway/executors/line.hpp"

#include <utility>

namespace flow::gateway {

void Line::Place::leave() {
  if (Line* line = std::exchange(line_, nullptr)) line->waiting_.erase(number_);
}

void Line::join(Place& place, std::function<void()> on_turn) {
  place.leave();
  place.line_ = this;
  place.number_ = ++last_number_;
  place.on_turn_ = std::move(on_turn);
  waiting_.emplace_hint(waiting_.end(), place.number_, &place);
}

void Line::give_turns(const std::function<bool()>& more) {
  const std::uint64_t last = last_number_;
  std::uint64_t number = 0;
  for (auto next = waiting_.begin(); next != waiting_.end() && next->first <= last && more();
       next = waiting_.upper_bound(number)) {
    number = next->first;
    // A copy: it may destroy the place that it belongs to.
    const std::function<void()> on_turn = next->second->on_turn_;
    on_turn();
  }
}

}  // namespace flow::gateway
