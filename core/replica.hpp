// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace flow::core {

// Where one replica of an executor stands. Every state has a since and a reason beside it; the
// table of transitions is in docs/states.md.
enum class ReplicaState {
  Starting,     // its process exists or is about to; not serving yet
  Ready,        // serves
  Hung,         // exists but does not answer
  Draining,     // finishes what it has, takes nothing new
  Backoff,      // died; a restart is pending
  Failed,       // will not be started again
  Unreachable,  // nothing is known but that nobody answers
  Unhealthy,    // answers, and says itself that it cannot serve
};

constexpr std::string_view name(ReplicaState state) {
  constexpr std::array<std::string_view, 8> kNames = {
      "STARTING", "READY", "HUNG", "DRAINING", "BACKOFF", "FAILED", "UNREACHABLE", "UNHEALTHY"};
  return kNames[static_cast<std::size_t>(state)];
}

}  // namespace flow::core
