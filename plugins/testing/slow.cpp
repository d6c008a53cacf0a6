// SPDX-License-Identifier: Apache-2.0
#include <flow/plugin.hpp>

#include <algorithm>
#include <chrono>
#include <thread>

class Slow {
 public:
  explicit Slow(const flow::Config& config) : delay_(config.integer("delay_ms")) {}

  void process(flow::Request& request) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point end = Clock::now() + delay_;
    while (Clock::now() < end) {
      if (request.cancelled()) throw flow::Error(FLOW_CANCELLED, "nobody waits any more");
      request.progress();
      std::this_thread::sleep_for(
          std::min<Clock::duration>(end - Clock::now(), std::chrono::milliseconds(2)));
    }
  }

 private:
  const std::chrono::milliseconds delay_;
};

FLOW_PLUGIN(Slow, FLOW_CONCURRENT | FLOW_BLOCKS, R"({
  "abi": {"major": 1, "minor": 0}, "id": "slow", "version": "1.0.0",
  "summary": "process() takes delay_ms, reports progress and heeds cancellation",
  "license": "Apache-2.0", "endpoints": [{"path": "/default"}],
  "config": [{"name": "delay_ms", "type": "integer", "default": 100, "min": 0, "max": 3600000}]
})");
