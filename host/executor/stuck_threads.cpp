// SPDX-License-Identifier: Apache-2.0
#include "host/executor/stuck_threads.hpp"

#include <utility>

#include "core/limits.hpp"
#include "core/status.hpp"
#include "fmt/format.h"

namespace flow::host {

void StuckThreads::add(pid_t thread, std::string_view place) {
  if (taken_.size() >= core::limits::kStuckStacksMax) return;
  taken_.push_back(
      {thread, std::string(place), capture_stack_of(thread, core::limits::kStackPatience)});
}

std::vector<std::string> StuckThreads::lines() const {
  std::vector<std::string> lines;
  std::size_t bytes = 0;
  const auto add_line = [&](std::string line) {
    bytes += line.size() + 1;
    if (bytes <= core::limits::kStackBytesMax) lines.push_back(std::move(line));
  };
  for (const auto& each : taken_) {
    add_line(fmt::format("thread {}, inside {}:", each.thread, each.place));
    if (!each.stack.ok()) {
      add_line(std::string(core::message(each.stack.status())));
      continue;
    }
    for (auto& line : symbolise(*each.stack)) add_line(std::move(line));
  }
  return lines;
}

}  // namespace flow::host
