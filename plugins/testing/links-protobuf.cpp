// SPDX-License-Identifier: Apache-2.0
//
// Needs libprotobuf.so, which would meet the host's generated code in one process and abort it.
#include <flow/plugin.hpp>

#include <google/protobuf/stubs/common.h>

class LinksProtobuf {
 public:
  LinksProtobuf() { GOOGLE_PROTOBUF_VERIFY_VERSION; }
  void process(flow::Request&) {}
};

FLOW_PLUGIN(LinksProtobuf, 0, R"({
  "abi": {"major": 1, "minor": 0}, "id": "links-protobuf", "version": "1.0.0",
  "summary": "Needs libprotobuf",
  "license": "Apache-2.0", "endpoints": [{"path": "/default"}]
})");
