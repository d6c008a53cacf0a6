// SPDX-License-Identifier: Apache-2.0
#include "gateway/readiness/readiness.hpp"

#include <utility>

namespace flow::gateway {

void Readiness::publish(const FlowView& flow) {
  verdict_ = judge(flow);
  for (auto next = subscribers_.begin(); next != subscribers_.end();) {
    const auto current = next++;  // the callback may end its own subscription
    (*current)();
  }
}

Readiness::Subscription::Subscription(Readiness& readiness, std::function<void()> callback)
    : readiness_(readiness),
      entry_(readiness.subscribers_.insert(readiness.subscribers_.end(), std::move(callback))) {}

Readiness::Subscription::~Subscription() { readiness_.subscribers_.erase(entry_); }

}  // namespace flow::gateway
