// SPDX-License-Identifier: Apache-2.0
//
// A Flow is ready inside its scope, and not after it.
#include <flow/flow.hpp>
#include <iostream>

int main() {
  flow::Flow flow;
  flow.add();
  {
    const auto running = flow.start();
    if (!running.ok()) {
      std::cerr << running.status() << '\n';
      return 1;
    }
    std::cout << std::boolalpha << flow.is_flow_ready() << '\n';
  }
  std::cout << flow.is_flow_ready() << '\n';
}
