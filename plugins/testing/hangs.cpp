// SPDX-License-Identifier: Apache-2.0
#include <flow/plugin.hpp>

#include <chrono>
#include <thread>

class Hangs {
 public:
  void process(flow::Request&) {
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
  }
};

FLOW_PLUGIN(Hangs, 0, R"({
  "abi": {"major": 1, "minor": 0}, "id": "hangs", "version": "1.0.0",
  "summary": "process() never returns, whatever happens to its caller",
  "license": "Apache-2.0", "endpoints": [{"path": "/default"}]
})");
