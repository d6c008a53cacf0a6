// SPDX-License-Identifier: Apache-2.0
#include <flow/plugin.hpp>

#include <unistd.h>

// Starts a process that nobody ends.
class LeavesAChild {
 public:
  LeavesAChild() {
    if (fork() != 0) return;
    execlp("sleep", "sleep", "86399", nullptr);
    _exit(1);
  }
  void process(flow::Request&) {}
};

FLOW_PLUGIN(LeavesAChild, 0, R"({
  "abi": {"major": 1, "minor": 0}, "id": "leaves-a-child", "version": "1.0.0",
  "summary": "create() starts a process and forgets it",
  "license": "Apache-2.0", "endpoints": [{"path": "/default"}]
})");
