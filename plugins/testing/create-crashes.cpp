// SPDX-License-Identifier: Apache-2.0
#include <flow/plugin.hpp>

#include <csignal>

class CreateCrashes {
 public:
  CreateCrashes() { std::raise(SIGSEGV); }
  void process(flow::Request&) {}
};

FLOW_PLUGIN(CreateCrashes, 0, R"({
  "abi": {"major": 1, "minor": 0}, "id": "create-crashes", "version": "1.0.0",
  "summary": "create() dies of SIGSEGV",
  "license": "Apache-2.0", "endpoints": [{"path": "/default"}]
})");
