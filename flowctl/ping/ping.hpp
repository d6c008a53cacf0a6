// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "flowctl/log_format.hpp"

namespace flow::ctl {

struct PingPlan {
  std::string url;
  int attempts = 3;        // at least 1
  int min_successful = 1;  // for passed()
};

// The rounds of `flowctl ping`: what is said, when it pauses and how it ends. Knows no network and
// no clock. Call begin_round and end_round in turns until finished().
class Ping {
 public:
  explicit Ping(PingPlan plan) : plan_(std::move(plan)) {}

  bool finished() const { return round_ == plan_.attempts; }
  Message begin_round() const;
  enum class Answer { Good, None };
  std::vector<Message> end_round(Answer answer, std::chrono::nanoseconds took);
  // Wait for kPause now? After every round but a last one that failed, as in the reference's
  // transcripts.
  bool pauses() const { return !finished() || answered_last_; }
  static constexpr std::chrono::seconds kPause{1};

  std::vector<Message> summary() const;
  bool passed() const { return successes_ >= plan_.min_successful; }

 private:
  const PingPlan plan_;
  int round_ = 0;
  int successes_ = 0;
  bool answered_last_ = false;
  std::chrono::nanoseconds time_in_successes_{0};
};

// "0 seconds", "1 minute and 2 seconds"
std::string duration_words(std::chrono::nanoseconds duration);

}  // namespace flow::ctl
