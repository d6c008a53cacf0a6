// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "core/config.hpp"
#include "flow/plugin.h"
#include "host/executor/call.hpp"
#include "host/executor/fault_plan.hpp"

namespace flow::host {

// Makes an executor misbehave as its [executors.fault] says, in place of or before its plugin's
// code: what a plugin can do to its process, this does. Thread-safe.
class Faults {
 public:
  Faults(const core::FaultConfig& config, std::uint32_t replica)
      : config_(config), plan_(config, replica) {}
  Faults(const Faults&) = delete;
  Faults& operator=(const Faults&) = delete;

  // On the thread that is about to run create().
  void before_create();
  // On the thread that is about to run process(); a status if that is not to be run.
  std::optional<flow_status> before_process(Call& call);

 private:
  void grow();

  const core::FaultConfig config_;
  FaultPlan plan_;
  std::mutex mutex_;  // guards what follows
  std::vector<std::vector<std::uint8_t>> kept_;
};

}  // namespace flow::host
