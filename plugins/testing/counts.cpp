// SPDX-License-Identifier: Apache-2.0
#include <flow/plugin.hpp>

#include <cstdint>
#include <string>

// Answers one document in many parts.
class Counts {
 public:
  void process(flow::Request& request) {
    const flow::Value parameters = request.parameters();
    const bool forever = parameters.boolean("forever", false);
    const std::int64_t last = parameters.integer("n", 3);
    const std::int64_t fail_at = parameters.integer("fail_at", 0);

    for (flow::Doc doc : request) request.remove(doc);
    for (std::int64_t i = 1; forever || i <= last; ++i) {
      if (i == fail_at) throw flow::Error(FLOW_DATA_LOSS, "lost count at " + std::to_string(i));
      request.append().set_text(std::to_string(i));
      if (!request.emit()) return;
    }
  }
};

FLOW_PLUGIN(Counts, FLOW_CONCURRENT | FLOW_STREAMS | FLOW_BLOCKS, R"({
  "abi": {"major": 1, "minor": 0}, "id": "counts", "version": "1.0.0",
  "summary": "Emits documents \"1\" to \"n\", each in a part of its own",
  "license": "Apache-2.0",
  "endpoints": [{
    "path": "/count", "summary": "Counts", "writes": ["text"], "streams": true,
    "parameter_schema": [
      {"name": "n", "type": "integer", "default": 3, "min": 0, "summary": "how far"},
      {"name": "forever", "type": "boolean", "default": false, "summary": "until nobody reads"},
      {"name": "fail_at", "type": "integer", "default": 0, "summary": "the number not reached"}
    ]
  }]
})");
