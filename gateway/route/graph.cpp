// SPDX-License-Identifier: Apache-2.0
#include "gateway/route/graph.hpp"

#include <algorithm>

namespace flow::gateway {

std::vector<const core::ExecutorConfig*> chain(const core::FlowConfig& config) {
  std::vector<const core::ExecutorConfig*> order;
  while (order.size() < config.executors.size()) {
    const auto next = std::ranges::find_if(config.executors, [&](const auto& executor) {
      return order.empty() ? executor.needs.empty()
                           : executor.needs == std::vector{order.back()->name};
    });
    if (next == config.executors.end()) break;
    order.push_back(&*next);
  }
  return order;
}

}  // namespace flow::gateway
