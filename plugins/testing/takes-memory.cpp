// SPDX-License-Identifier: Apache-2.0
#include <flow/plugin.hpp>

#include <cstddef>
#include <vector>

class TakesMemory {
 public:
  explicit TakesMemory(const flow::Config& config)
      : memory_(static_cast<std::size_t>(config.integer("mib")) << 20, 'x') {}
  void process(flow::Request&) {}

 private:
  std::vector<char> memory_;
};

FLOW_PLUGIN(TakesMemory, 0, R"({
  "abi": {"major": 1, "minor": 0}, "id": "takes-memory", "version": "1.0.0",
  "summary": "create() takes as much memory as it is told",
  "license": "Apache-2.0", "endpoints": [{"path": "/default"}],
  "config": [{"name": "mib", "type": "integer", "default": 1, "min": 0, "max": 65536}]
})");
