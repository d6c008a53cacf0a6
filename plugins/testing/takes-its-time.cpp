// SPDX-License-Identifier: Apache-2.0
#include <flow/plugin.hpp>

#include <chrono>
#include <thread>

class TakesItsTime {
 public:
  void process(flow::Request& request) {
    using Clock = std::chrono::steady_clock;
    for (flow::Doc doc : request) {
      const auto end = Clock::now() + std::chrono::milliseconds(doc.tags().integer("ms", 0));
      while (Clock::now() < end) {
        if (request.cancelled()) throw flow::Error(FLOW_CANCELLED, "nobody waits any more");
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
  }
};

FLOW_PLUGIN(TakesItsTime, FLOW_CONCURRENT | FLOW_BLOCKS, R"({
  "abi": {"major": 1, "minor": 0}, "id": "takes-its-time", "version": "1.0.0",
  "summary": "Takes as many milliseconds for a document as its tag \"ms\" says",
  "license": "Apache-2.0", "endpoints": [{"path": "/default"}]
})");
