// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "host/stack/stack.hpp"

namespace flow::host {

// Where threads of this process are stuck. Taken at once, for they may move on; put into words when
// there is time for it. Confined to its thread.
class StuckThreads {
 public:
  // `place`: the plugin's function that it is inside of. Those beyond kStuckStacksMax are dropped.
  void add(pid_t thread, std::string_view place);
  // "thread 4711, inside process():", its frames, and so on for each; no more than kStackBytesMax.
  std::vector<std::string> lines() const;

 private:
  struct Taken {
    pid_t thread;
    std::string place;
    absl::StatusOr<RawStack> stack;
  };
  std::vector<Taken> taken_;
};

}  // namespace flow::host
