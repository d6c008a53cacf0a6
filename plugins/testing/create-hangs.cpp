// SPDX-License-Identifier: Apache-2.0
#include <flow/plugin.hpp>

#include <chrono>
#include <thread>

class CreateHangs {
 public:
  CreateHangs() {
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
  }
  void process(flow::Request&) {}
};

FLOW_PLUGIN(CreateHangs, 0, R"({
  "abi": {"major": 1, "minor": 0}, "id": "create-hangs", "version": "1.0.0",
  "summary": "create() never returns",
  "license": "Apache-2.0", "endpoints": [{"path": "/default"}]
})");
