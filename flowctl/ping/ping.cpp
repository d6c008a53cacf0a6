// SPDX-License-Identifier: Apache-2.0
#include "flowctl/ping/ping.hpp"

#include <array>
#include <utility>

#include "fmt/format.h"
#include "fmt/ranges.h"

namespace flow::ctl {

Message Ping::begin_round() const {
  return {.text = fmt::format("ping {} at {} round...", plan_.url, round_)};
}

std::vector<Message> Ping::end_round(Answer answer, std::chrono::nanoseconds took) {
  std::vector<Message> messages;
  answered_last_ = answer == Answer::Good;
  if (answered_last_) {
    ++successes_;
    time_in_successes_ += took;
  } else {
    messages.push_back(
        {.level = "warning",
         .text = fmt::format("not responding, retry ({}/{}) in 1s", round_ + 1, plan_.attempts)});
  }
  messages.push_back(
      {.text = fmt::format("ping {} at {} round takes {} ({:.2f}s)", plan_.url, round_,
                           duration_words(took), std::chrono::duration<double>(took).count())});
  ++round_;
  return messages;
}

std::vector<Message> Ping::summary() const {
  std::vector<Message> messages;
  if (const int lost = round_ - successes_; lost > 0) {
    messages.push_back(
        {.level = "warning",
         .text = fmt::format("message lost {:.0f}% ({}/{})", 100.0 * lost / round_, lost, round_)});
  }
  if (successes_ > 0) {
    const std::chrono::duration<double, std::milli> average = time_in_successes_ / successes_;
    messages.push_back({.text = fmt::format("avg. latency: {:.0f} ms", average.count())});
  }
  return messages;
}

std::string duration_words(std::chrono::nanoseconds duration) {
  constexpr std::array<std::pair<long, std::string_view>, 4> kUnits = {
      {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}}};
  long left = static_cast<long>(duration / std::chrono::seconds(1));
  std::vector<std::string> parts;
  for (const auto& [seconds, name] : kUnits) {
    const long count = left / seconds;
    left %= seconds;
    if (count == 0 && seconds != 1) continue;
    parts.push_back(fmt::format("{} {}{}", count, name, count == 1 ? "" : "s"));
  }
  return fmt::format("{}", fmt::join(parts, " and "));
}

}  // namespace flow::ctl
