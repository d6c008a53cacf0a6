// SPDX-License-Identifier: Apache-2.0
#include <flow/plugin.hpp>

class BadNote {
 public:
  void process(flow::Request&) {}
};

FLOW_PLUGIN(BadNote, 0, R"({"id": "bad-note", "version": )");
