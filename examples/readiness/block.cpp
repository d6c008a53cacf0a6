// SPDX-License-Identifier: Apache-2.0
//
// Serves a Flow until somebody presses Ctrl-C. Usage: readiness-block [port]
#include <cstdlib>
#include <flow/flow.hpp>
#include <iostream>

int main(int argc, char** argv) {
  const auto port = static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 12345);
  flow::Flow flow({.port = port});
  auto running = flow.add().start();
  const absl::Status status = running.ok() ? running->block() : running.status();
  if (!status.ok()) std::cerr << status << '\n';
  return status.ok() ? 0 : 1;
}
