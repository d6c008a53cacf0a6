// SPDX-License-Identifier: Apache-2.0
#include <flow/plugin.hpp>

#include <unistd.h>

class Identifies {
 public:
  void process(flow::Request& request) {
    for (flow::Doc doc : request) doc.set_tag("pid", getpid());
  }
};

FLOW_PLUGIN(Identifies, FLOW_CONCURRENT | FLOW_BATCHES, R"({
  "abi": {"major": 1, "minor": 0}, "id": "identifies", "version": "1.0.0",
  "summary": "Tags documents with the process that saw them",
  "license": "Apache-2.0", "endpoints": [{"path": "/default"}]
})");
