// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "core/config.hpp"

namespace flow::host {

// What a call is made to suffer on purpose.
enum class Fault { None, Delay, Error, Crash, Exit, Spin, Deadlock };

// Decides which: call after call the same for the same seed and replica, whatever the threads do in
// between. Thread-safe.
class FaultPlan {
 public:
  FaultPlan(const core::FaultConfig& config, std::uint32_t replica);

  // Of the next call.
  Fault next();

 private:
  // Of all calls, how many suffer this one or one before it in the list.
  struct Share {
    Fault fault;
    double up_to;
  };
  std::array<Share, 6> shares_;
  const std::uint64_t seed_;
  std::atomic<std::uint64_t> calls_{0};
};

// "delay 10 %, crash 0.1 %, seed 7": for the log, so that nobody searches for a bug that was asked
// for.
std::string describe(const core::FaultConfig& config);

}  // namespace flow::host
