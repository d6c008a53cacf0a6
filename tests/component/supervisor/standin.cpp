// SPDX-License-Identifier: Apache-2.0
//
// flow-host --config FILE without plugins: argv[2] is started in place of both programs.
#include <sys/prctl.h>

#include <cstdio>

#include "core/notify.hpp"
#include "core/status.hpp"
#include "host/supervisor/supervisor.hpp"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // orphans come to it, as to process 1 of a container
  const flow::core::Notifier parent;
  const auto config = flow::core::load_config(argv[1], flow::core::process_environment());
  if (!config.ok()) {
    std::fprintf(stderr, "%s\n", std::string(flow::core::message(config.status())).c_str());
    return 2;
  }
  return flow::host::Supervisor(*config, {argv[2], argv[2]}, config->log, parent).run();
}
