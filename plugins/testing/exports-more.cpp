// SPDX-License-Identifier: Apache-2.0
#include <flow/plugin.hpp>

class ExportsMore {
 public:
  void process(flow::Request&) {}
};

extern "C" FLOW_EXPORT int flow_plugin_helper(void);
extern "C" FLOW_EXPORT int flow_plugin_helper(void) { return 0; }

FLOW_PLUGIN(ExportsMore, 0, R"({
  "abi": {"major": 1, "minor": 0}, "id": "exports-more", "version": "1.0.0",
  "summary": "Exports a second symbol",
  "license": "Apache-2.0", "endpoints": [{"path": "/default"}]
})");
