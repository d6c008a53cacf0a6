// SPDX-License-Identifier: Apache-2.0
#include <flow/plugin.hpp>

#include <chrono>
#include <thread>

class SlowStart {
 public:
  explicit SlowStart(const flow::Config& config) {
    std::this_thread::sleep_for(std::chrono::milliseconds(config.integer("delay_ms")));
  }
  void process(flow::Request&) {}
};

FLOW_PLUGIN(SlowStart, 0, R"({
  "abi": {"major": 1, "minor": 0}, "id": "slow-start", "version": "1.0.0",
  "summary": "create() takes delay_ms",
  "license": "Apache-2.0", "endpoints": [{"path": "/default"}],
  "config": [{"name": "delay_ms", "type": "integer", "default": 100, "min": 0, "max": 3600000}]
})");
