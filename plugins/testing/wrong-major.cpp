// SPDX-License-Identifier: Apache-2.0
//
// From a future in which the ABI has changed: another symbol, and a table that nobody here can
// read.
#include <flow/plugin.h>

FLOW_METADATA(R"({
  "abi": {"major": 2, "minor": 0}, "id": "wrong-major", "version": "1.0.0",
  "summary": "Wants a host of ABI major 2", "license": "Apache-2.0",
  "endpoints": [{"path": "/default"}]
})");

extern "C" FLOW_EXPORT const char* const flow_plugin_v2;
extern "C" FLOW_EXPORT constinit const char* const flow_plugin_v2 = flow_metadata.desc;
