// SPDX-License-Identifier: Apache-2.0
#include <flow/plugin.hpp>

#include <cstddef>
#include <vector>

class Weighs {
 public:
  explicit Weighs(const flow::Config& config)
      : ballast_(static_cast<std::size_t>(config.integer("mib")) << 20, std::byte{1}) {}
  void process(flow::Request&) {}

 private:
  const std::vector<std::byte> ballast_;
};

FLOW_PLUGIN(Weighs, FLOW_CONCURRENT, R"({
  "abi": {"major": 1, "minor": 0}, "id": "weighs", "version": "1.0.0",
  "summary": "keeps so much memory resident",
  "license": "Apache-2.0", "endpoints": [{"path": "/default"}],
  "config": [{"name": "mib", "type": "integer", "default": 1, "min": 0, "max": 65536}]
})");
