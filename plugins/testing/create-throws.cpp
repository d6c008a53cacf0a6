// SPDX-License-Identifier: Apache-2.0
#include <flow/plugin.hpp>

#include <stdexcept>

class CreateThrows {
 public:
  CreateThrows() { throw std::runtime_error("thrown on purpose"); }
  void process(flow::Request&) {}
};

FLOW_PLUGIN(CreateThrows, 0, R"({
  "abi": {"major": 1, "minor": 0}, "id": "create-throws", "version": "1.0.0",
  "summary": "create() throws std::runtime_error",
  "license": "Apache-2.0", "endpoints": [{"path": "/default"}]
})");
