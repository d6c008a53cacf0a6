// SPDX-License-Identifier: Apache-2.0
#include <flow/plugin.hpp>

#include <cstdlib>

class Aborts {
 public:
  void process(flow::Request&) { std::abort(); }
};

FLOW_PLUGIN(Aborts, 0, R"({
  "abi": {"major": 1, "minor": 0}, "id": "aborts", "version": "1.0.0",
  "summary": "process() dies of SIGABRT",
  "license": "Apache-2.0", "endpoints": [{"path": "/default"}]
})");
