// SPDX-License-Identifier: Apache-2.0
#include "host/supervisor/gateway_check.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>

#include "core/limits.hpp"
#include "core/status.hpp"
#include "fmt/format.h"
#include "host/supervisor/child_process.hpp"

namespace flow::host {
namespace {

using std::chrono::steady_clock;

// False if the process did not end in time.
bool wait_for_end(const ChildProcess& child, std::chrono::milliseconds patience) {
  const auto deadline = steady_clock::now() + patience;
  pollfd end = {.fd = child.pidfd.get(), .events = POLLIN, .revents = 0};
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now());
    if (left.count() <= 0) return false;
    const int ready = ::poll(&end, 1, static_cast<int>(left.count()));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

}  // namespace

absl::StatusOr<bool> check_gateway(const core::FlowConfig& config, const std::string& program) {
  if (!config.gateway.tls) return true;
  ::signal(SIGCHLD, SIG_DFL);  // whoever started us may ignore it, and then nobody can be asked

  SpawnSpec spec{.command = {program, "--config", config.file, "--check"}, .environment = {}};
  for (char** each = environ; each != nullptr && *each != nullptr; ++each) {
    spec.environment.emplace_back(*each);
  }
  FLOW_ASSIGN_OR_RETURN(const ChildProcess child, spawn(spec));
  const bool ended = wait_for_end(child, core::limits::kGatewayCheckTimeout);
  if (!ended) {
    send_signal(child.pidfd.get(), SIGKILL);
    wait_for_end(child, core::limits::kKillWait);
  }
  const auto exit = reap(child.pidfd.get());
  if (!ended || !exit) {
    return core::error(absl::StatusCode::kDeadlineExceeded,
                       fmt::format("{} --check did not end within {} s", program,
                                   core::limits::kGatewayCheckTimeout / std::chrono::seconds(1)));
  }
  if (exit->how == ProcessExit::How::Killed) {
    return core::error(absl::StatusCode::kInternal,
                       fmt::format("{} --check {}", program, describe(*exit)));
  }
  return exit->value == 0;
}

}  // namespace flow::host
