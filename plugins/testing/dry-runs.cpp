// SPDX-License-Identifier: Apache-2.0
#include <flow/plugin.hpp>

#include <chrono>
#include <string>
#include <thread>

class DryRuns {
 public:
  explicit DryRuns(const flow::Config& config) : outcome_(config.text("outcome")) {}

  void process(flow::Request& request) {
    if (request.endpoint() != "_jina_dry_run_") {
      for (flow::Doc doc : request) doc.set_text("data");
    } else if (outcome_ == "fails") {
      throw flow::Error(FLOW_UNAVAILABLE, "the index is not loaded");
    } else {
      while (outcome_ == "hangs" && !request.cancelled()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
    }
  }

 private:
  const std::string outcome_;
};

FLOW_PLUGIN(DryRuns, FLOW_CONCURRENT | FLOW_BLOCKS, R"({
  "abi": {"major": 1, "minor": 0}, "id": "dry-runs", "version": "1.0.0",
  "summary": "Has a dry run of its own, which ends as it is told to",
  "license": "Apache-2.0", "endpoints": [{"path": "/default"}, {"path": "_jina_dry_run_"}],
  "config": [{"name": "outcome", "type": "string", "default": "works"}]
})");
