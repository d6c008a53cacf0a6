// SPDX-License-Identifier: Apache-2.0
#include "core/short_turns.hpp"

#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace flow::core {
namespace {

constexpr __u64 kShortestTurn = 100'000;  // ns; the kernel knows none that are shorter

}  // namespace

void prefer_short_turns() {
  // What it is given already, its niceness above all, stays as it is.
  sched_attr attributes{};
  if (::syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return;
  if (attributes.sched_policy != SCHED_NORMAL) return;
  attributes.sched_runtime = kShortestTurn;
  attributes.sched_flags |= SCHED_FLAG_RESET_ON_FORK;
  ::syscall(SYS_sched_setattr, 0, &attributes, 0);
}

}  // namespace flow::core
