// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/limits.hpp"
#include "gateway/net/loop.hpp"

namespace flow::gateway {

// Which replicas of one executor are avoided for a while, because they answer the heartbeat and say
// that they are well, and yet fail one call after the other. A machine that is told how calls end,
// with times, and knows no clock. Never avoids more than half of the replicas. Confined to its
// loop.
class Ejections {
 public:
  using Time = Clock::time_point;

  explicit Ejections(std::size_t replicas) : records_(replicas) {}

  enum class Standing {
    In,
    Out,    // until its time is over
    Trial,  // its time is over: one call shows whether it is well again
  };
  Standing standing(std::size_t replica, Time now) const;
  bool any() const { return out_ > 0; }

  // A call to it starts: true if it is the trial. Then the end of that call is told as `trial`.
  bool call_started(std::size_t replica, Time now);

  // A call ended well. True if the replica is in again by that.
  bool succeeded(std::size_t replica, Time now, bool trial);
  struct Ejected {
    Clock::duration length;
    std::string why;
  };
  // A call failed by the replica's fault, `what` says how; `others` is whether there are other
  // replicas for its calls. Nothing if the replica stays in, or is out already.
  std::optional<Ejected> failed(std::size_t replica, Time now, bool trial, bool others,
                                std::string_view what);
  // A call ended in a way that says nothing about the replica.
  void abandoned(std::size_t replica, bool trial);
  // It is another process, or needed whatever it does. True if it was out.
  bool let_in(std::size_t replica);

 private:
  struct Record {
    std::uint32_t failures_in_a_row = 0;
    Time window_start;
    std::uint32_t calls = 0;     // in the window
    std::uint32_t failures = 0;  // of them
    bool out = false;
    bool trial_runs = false;
    Time until;                // of the ejection, or when the last one ended
    Clock::duration length{};  // of the last ejection
  };

  void count(Record& record, Time now, bool failed);
  Ejected eject(Record& record, Time now, std::string why);

  std::vector<Record> records_;
  std::size_t out_ = 0;
};

}  // namespace flow::gateway
