// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "gateway/executors/replica.hpp"
#include "gateway/net/loop.hpp"

namespace flow::gateway {

// ---- the trial of a new process: values in, decisions out ---------------------------------------

struct TrialCounts {
  std::uint64_t answered = 0;
  std::uint64_t failed = 0;  // no answer, or not in time
  std::uint64_t errors = 0;  // of those answered: with an executor's error
};

enum class TrialVerdict { GoesOn, Passed, Failed };

// Enough answers are proof, and so is time without failures, because an idle Flow has no calls.
TrialVerdict judge_trial(TrialCounts counts, Clock::duration elapsed);

// How many calls at a time a process on trial may have: one that breaks with its first call is
// found out by a single one, one that works has all there are within a few round trips, and one
// that answers with errors goes on with one at a time.
std::uint64_t trial_calls_max(TrialCounts counts);

// ---- the handover -------------------------------------------------------------------------------

// A new process of a replica beside the one that serves: it is connected to, must say that it
// serves, must answer a dry run, and then proves itself with some of the calls before it gets all
// of them. Owns of the two the one that has no place among the replicas: at first the successor,
// once it has taken over its predecessor, which stays in reserve until the supervisor knows.
// Confined to its loop.
class Handover {
 public:
  // OK: the successor is to have all calls; an error: none any more, and why.
  using Decided = std::function<void(const absl::Status&)>;

  // `decided` is called once, from the loop; it must not destroy this.
  Handover(Loop& loop, std::unique_ptr<Replica> successor, std::int64_t pid, Decided decided);
  Handover(const Handover&) = delete;
  Handover& operator=(const Handover&) = delete;
  ~Handover();

  std::int64_t pid() const { return pid_; }  // the successor's
  bool moved() const { return moved_; }
  // The successor on trial if the next call is its to take, else nullptr. Without a rival to take
  // it, it takes each.
  enum class Rival { Ready, None };
  Replica* for_next_call(Rival rival);
  // The successor's status may have changed.
  void look_soon();

  // Calls `settled` once the other one has no calls any more, or after kSettleTime: from then on it
  // may be told to stop, because whatever was on its way to it has arrived. Once, when decided.
  void settle(std::function<void()> settled);

  Replica& other() { return *other_; }
  // The other one takes the place and the one in the place becomes the other.
  void exchange(std::unique_ptr<Replica>& place);
  std::unique_ptr<Replica> take_other() { return std::move(other_); }

 private:
  class DryRun;
  enum class Stage { Meeting, DryRun, Trial, Decided };

  TrialCounts counts() const;
  void look();
  void look_at(Clock::time_point now);
  void ask();
  void on_dry_run(const absl::Status& result);
  void decide(const absl::Status& outcome);
  void look_whether_settled();

  Loop& loop_;
  std::unique_ptr<Replica> other_;
  const std::int64_t pid_;
  const Decided decided_;
  Stage stage_ = Stage::Meeting;
  bool moved_ = false;
  Clock::time_point stage_since_;
  std::unique_ptr<DryRun> dry_run_;
  std::function<void()> settled_;
  Alarms::Alarm alarm_;
};

}  // namespace flow::gateway
