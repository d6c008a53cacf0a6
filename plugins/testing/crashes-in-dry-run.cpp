// SPDX-License-Identifier: Apache-2.0
#include <flow/plugin.hpp>

#include <csignal>

class CrashesInDryRun {
 public:
  void process(flow::Request& request) {
    if (request.endpoint() == "_jina_dry_run_") std::raise(SIGSEGV);
  }
};

FLOW_PLUGIN(CrashesInDryRun, 0, R"({
  "abi": {"major": 1, "minor": 0}, "id": "crashes-in-dry-run", "version": "1.0.0",
  "summary": "Dies of SIGSEGV in its dry run",
  "license": "Apache-2.0", "endpoints": [{"path": "/default"}, {"path": "_jina_dry_run_"}]
})");
