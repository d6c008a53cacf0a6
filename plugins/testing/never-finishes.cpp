// SPDX-License-Identifier: Apache-2.0
#include <flow/plugin.hpp>

#include <list>
#include <mutex>
#include <utility>

// Takes calls and keeps them, until it is destroyed.
class NeverFinishes {
 public:
  void process(flow::Request, flow::Completion done) {
    const std::lock_guard lock(mutex_);
    kept_.push_back(std::move(done));
  }

 private:
  std::mutex mutex_;
  std::list<flow::Completion> kept_;
};

FLOW_PLUGIN(NeverFinishes, FLOW_CONCURRENT, R"({
  "abi": {"major": 1, "minor": 0}, "id": "never-finishes", "version": "1.0.0",
  "summary": "Returns FLOW_PENDING and leaves it at that",
  "license": "Apache-2.0", "endpoints": [{"path": "/default"}]
})");
