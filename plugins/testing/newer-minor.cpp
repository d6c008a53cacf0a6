// SPDX-License-Identifier: Apache-2.0
//
// From a future in which the ABI has grown: to be refused by a host of today (A5).
#include <flow/plugin.hpp>

class NewerMinor {
 public:
  void process(flow::Request&) {}
};

FLOW_METADATA(R"({
  "abi": {"major": 1, "minor": 99}, "id": "newer-minor", "version": "1.0.0",
  "summary": "Wants a host of ABI minor 99", "license": "Apache-2.0",
  "endpoints": [{"path": "/default"}]
})");

static constexpr flow_plugin with_minor(flow_plugin plugin, std::uint32_t minor) {
  plugin.abi_minor = minor;
  return plugin;
}

extern "C" FLOW_EXPORT constinit const flow_plugin flow_plugin_v1 =
    with_minor(flow::make_plugin<NewerMinor>(0, flow_metadata.desc), 99);
