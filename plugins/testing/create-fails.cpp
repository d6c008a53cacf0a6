// SPDX-License-Identifier: Apache-2.0
#include <flow/plugin.hpp>

class CreateFails {
 public:
  CreateFails() {
    throw flow::Error(FLOW_FAILED_PRECONDITION, "there is no model on this machine");
  }
  void process(flow::Request&) {}
};

FLOW_PLUGIN(CreateFails, 0, R"({
  "abi": {"major": 1, "minor": 0}, "id": "create-fails", "version": "1.0.0",
  "summary": "create() answers FAILED_PRECONDITION with a reason",
  "license": "Apache-2.0", "endpoints": [{"path": "/default"}]
})");
