// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <variant>

#include "core/config.hpp"
#include "host/supervisor/moment.hpp"

namespace flow::host {

struct Restart {
  Moment at;
  std::uint32_t attempt = 0;  // within the window, counted from 1
  std::uint32_t of = 0;
};
// The budget is spent.
struct GiveUp {
  std::string reason;
};
// The policy asks for no restart after such an end.
struct Stay {
  std::string reason;
};
using RestartDecision = std::variant<Restart, GiveUp, Stay>;

// "restart 1 of 5 at 08:15:30.230Z", "given up: 5 restarts within 60 s",
// "not restarted: restart = \"never\""
std::string describe(const RestartDecision& decision);

enum class ExitKind { Clean, Failure };

// Decides what follows each end of one process: restarts while fewer than `restarts` fell into the
// last `restart_window`, the first of a process that served at once, others with a doubling,
// jittered delay. A run that was healthy for a whole window wipes the slate, so that a crash a day
// is always met with a restart at once.
// Confined to its loop.
class RestartPolicy {
 public:
  explicit RestartPolicy(const core::SuperviseConfig& config) : config_(config) {}

  // From the next end on.
  void configure(const core::SuperviseConfig& config) { config_ = config; }

  // `healthy_for`: how long the process served; zero if it never became ready.
  RestartDecision on_exit(Moment now, ExitKind kind, std::chrono::nanoseconds healthy_for,
                          std::mt19937_64& random);

 private:
  std::chrono::nanoseconds next_delay(std::mt19937_64& random);

  core::SuperviseConfig config_;
  std::deque<std::chrono::steady_clock::time_point> recent_;  // restarts within the window
  // Since the last healthy run:
  bool forgiven_ = false;              // one end was met with a restart at once
  std::chrono::nanoseconds delay_{0};  // the last one without its jitter; zero: there was none
};

}  // namespace flow::host
