// SPDX-License-Identifier: Apache-2.0
#include <flow/plugin.hpp>

#include <string>

class Upper {
 public:
  void process(flow::Request& request) { router_(*this, request); }

 private:
  void upper(flow::Request& request) {
    for (flow::Doc doc : request) {
      std::string text(doc.text());
      for (char& c : text) {
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
      }
      doc.set_text(text);
    }
  }

  flow::Router<Upper> router_{{"/upper", &Upper::upper}};
};

FLOW_PLUGIN(Upper, FLOW_CONCURRENT | FLOW_BATCHES, R"({
  "abi": {"major": 1, "minor": 0}, "id": "upper", "version": "1.0.0",
  "summary": "Makes ASCII letters upper case", "license": "Apache-2.0",
  "endpoints": [{"path": "/upper", "reads": ["text"], "writes": ["text"]}]
})");
