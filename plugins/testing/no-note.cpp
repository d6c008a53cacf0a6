// SPDX-License-Identifier: Apache-2.0
//
// A table that would do, and no ELF note.
#include <flow/plugin.hpp>

class NoNote {
 public:
  void process(flow::Request&) {}
};

extern "C" FLOW_EXPORT constinit const flow_plugin flow_plugin_v1 =
    flow::make_plugin<NoNote>(0, R"({
  "abi": {"major": 1, "minor": 0}, "id": "no-note", "version": "1.0.0",
  "summary": "Has no ELF note",
  "license": "Apache-2.0", "endpoints": [{"path": "/default"}]
})");
