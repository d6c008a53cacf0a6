// SPDX-License-Identifier: Apache-2.0
#include <flow/plugin.hpp>

#include <csignal>

class Segfaults {
 public:
  void process(flow::Request&) { std::raise(SIGSEGV); }
};

FLOW_PLUGIN(Segfaults, 0, R"({
  "abi": {"major": 1, "minor": 0}, "id": "segfaults", "version": "1.0.0",
  "summary": "process() dies of SIGSEGV",
  "license": "Apache-2.0", "endpoints": [{"path": "/default"}]
})");
