// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/unique_fd.hpp"
#include "host/supervisor/process_exit.hpp"

namespace flow::host {

// What a new process gets; everything else of ours stays with us.
struct SpawnSpec {
  std::vector<std::string> command;      // its program's path first
  std::vector<std::string> environment;  // "KEY=value"
  int handed_over = -1;                  // becomes kHandedOverFd in the child; -1: nothing
  int output = 1;                        // becomes its standard output
};

inline constexpr int kHandedOverFd = 3;

// A process that we started and have not reaped yet.
struct ChildProcess {
  pid_t pid = 0;
  core::UniqueFd pidfd;  // readable when it has ended
};

// Standard input is /dev/null, error is ours and output, too, unless told otherwise; no signal is
// blocked or ignored. The child leads a process group of its own, so that a terminal's Ctrl-C
// reaches only the supervisor, which then stops everybody in order.
absl::StatusOr<ChildProcess> spawn(const SpawnSpec& spec);

// Reaps the process if it has ended; never blocks.
std::optional<ProcessExit> reap(int pidfd);

// Kills what a process of ours has started and left behind in its process group. Only between its
// end and reap(): until then no other process can have its id.
void kill_group(pid_t leader);

// Does nothing if the process has ended: a pidfd never means somebody else.
void send_signal(int pidfd, int number);

}  // namespace flow::host
