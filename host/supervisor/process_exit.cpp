// SPDX-License-Identifier: Apache-2.0
#include "host/supervisor/process_exit.hpp"

#include <csignal>
#include <cstring>

#include "core/time_text.hpp"
#include "fmt/format.h"

namespace flow::host {

std::string describe(const ProcessExit& exit) {
  if (exit.how == ProcessExit::How::Exited) return fmt::format("exited with status {}", exit.value);
  // Real-time signals have no abbreviation.
  const char* name = ::sigabbrev_np(exit.value);
  const bool out_of_memory = exit.value == SIGKILL && exit.memory_kills;
  return fmt::format("was killed by signal {}{}{}", exit.value,
                     name == nullptr ? "" : fmt::format(" (SIG{})", name),
                     out_of_memory ? ", probably by the kernel because memory ran out" : "");
}

std::string describe(pid_t pid, const ProcessExit& exit, std::chrono::system_clock::time_point at) {
  return fmt::format("process {} {} at {}", pid, describe(exit), core::utc_text(at));
}

}  // namespace flow::host
