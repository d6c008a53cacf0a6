// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <set>
#include <string>

namespace flow::host {

// Which of a child's processes: the one that serves, or the one beside it while it is replaced.
enum class Seat { Serving, Beside };

// A process beside the one that serves, and how far the replacing has come.
struct Swap {
  enum class Stage {
    Starting,   // the successor: its process exists or is just being spawned
    Moving,     // the successor: it serves, the gateway tries it and then moves calls to it
    Leaving,    // the predecessor: it was told to stop
    Abandoned,  // the successor: it was told to stop, because it could not take over
  };

  Stage stage = Stage::Starting;
  std::string why;  // "libecho.so was replaced"
  pid_t pid = 0;
  std::chrono::steady_clock::time_point due{};  // when the stage must be over
  bool killed = false;                          // it got SIGKILL
  std::string phase;                            // what the successor said last about itself
  std::string failure;
  std::set<std::size_t> to_move;  // replicas whose calls the gateway has not moved yet

  bool underway() const { return stage == Stage::Starting || stage == Stage::Moving; }
};

}  // namespace flow::host
