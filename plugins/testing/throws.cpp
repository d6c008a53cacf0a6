// SPDX-License-Identifier: Apache-2.0
#include <flow/plugin.hpp>

#include <stdexcept>

class Throws {
 public:
  void process(flow::Request&) { throw std::runtime_error("thrown on purpose"); }
};

FLOW_PLUGIN(Throws, 0, R"({
  "abi": {"major": 1, "minor": 0}, "id": "throws", "version": "1.0.0",
  "summary": "process() throws std::runtime_error",
  "license": "Apache-2.0", "endpoints": [{"path": "/default"}]
})");
