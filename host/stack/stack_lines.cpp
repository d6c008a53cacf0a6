// SPDX-License-Identifier: Apache-2.0
#include "host/stack/stack_lines.hpp"

#include <algorithm>

#include "core/limits.hpp"

namespace flow::host {

std::vector<std::string> StackLines::lines(const RawStack& stack) {
  const std::vector<Frame> frames = locate(stack);
  const std::lock_guard lock(mutex_);
  const bool all_known = std::all_of(frames.begin(), frames.end(), [&](const Frame& frame) {
    return functions_.contains(frame.address);
  });
  if (!all_known) {
    const std::vector<std::string> found = functions_of(frames);
    if (functions_.size() > core::limits::kFunctionsKept) functions_.clear();
    for (std::size_t i = 0; i < frames.size(); ++i) functions_[frames[i].address] = found[i];
  }
  std::vector<std::string> functions;
  for (const Frame& frame : frames) functions.push_back(functions_[frame.address]);
  return lines_of(frames, functions);
}

}  // namespace flow::host
