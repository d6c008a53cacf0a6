// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>

#include "core/unique_fd.hpp"

namespace flow::host {

// SIGTERM and SIGINT as something to wait for. Construct before any thread exists: threads inherit
// that these signals are blocked, so no plugin's thread is ever interrupted by one. They stay
// blocked. Confined to its thread.
class StopSignals {
 public:
  StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Waits for a signal and returns its number.
  int wait();
  // Runs `work` on a thread of its own. nullopt: it has returned; a number: a signal came first,
  // and `work` may still be running, so the caller ends the process.
  std::optional<int> wait_while(const std::function<void()>& work);

 private:
  core::UniqueFd signals_;
};

}  // namespace flow::host
