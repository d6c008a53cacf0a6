// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>

#include "core/time_text.hpp"

namespace flow::host {

// How a process ended.
struct ProcessExit {
  enum class How { Exited, Killed };
  How how = How::Exited;
  int value = 0;  // the exit status, or the number of the signal
  // The kernel has killed somebody for want of memory while the process lived.
  bool memory_kills = false;

  bool clean() const { return how == How::Exited && value == 0; }
  bool operator==(const ProcessExit&) const = default;
};

// "was killed by signal 9 (SIGKILL)", "exited with status 3",
// "was killed by signal 9 (SIGKILL), probably by the kernel because memory ran out"
std::string describe(const ProcessExit& exit);
// "process 19059 was killed by signal 9 (SIGKILL) at 2026-11-22T08:15:30.123Z". The time is
// absolute because whoever passes the sentence on does not know when it will be read.
std::string describe(pid_t pid, const ProcessExit& exit, std::chrono::system_clock::time_point at);

using core::duration_text;

}  // namespace flow::host
