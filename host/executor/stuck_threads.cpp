// SPDX-License-Identifier: Apache-2.0
#include "host/executor/stuck_threads.hpp"

#include "core/limits.hpp"
#include "fmt/format.h"

namespace flow::host {

void StuckThreads::add(pid_t thread, std::string_view place) {
  if (taken_.size() >= core::limits::kStuckStacksMax) return;
  taken_.push_back({thread, std::string(place)});
}

std::vector<std::string> StuckThreads::lines() const {
  std::vector<std::string> lines;
  for (const auto& each : taken_) {
    lines.push_back(fmt::format("thread {}, inside {}:", each.thread, each.place));
  }
  return lines;
}

}  // namespace flow::host
