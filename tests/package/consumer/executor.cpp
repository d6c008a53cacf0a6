// SPDX-License-Identifier: Apache-2.0
#include <flow/plugin.hpp>
#include <string>

class Shout {
 public:
  void process(flow::Request& request) {
    for (flow::Doc doc : request) doc.set_text(std::string(doc.text()) + "!");
  }
};

FLOW_PLUGIN(Shout, FLOW_CONCURRENT, R"({
  "abi": {"major": 1, "minor": 0}, "id": "shout", "version": "1.0.0",
  "endpoints": [{"path": "/default"}]
})");
