// SPDX-License-Identifier: Apache-2.0
#include "host/supervisor/restart_policy.hpp"

#include <algorithm>

#include "core/time_text.hpp"
#include "fmt/format.h"
#include "host/supervisor/process_exit.hpp"

namespace flow::host {
namespace {

struct Describe {
  std::string operator()(const Restart& restart) const {
    // Without the date: it stands behind an absolute time in the same sentence.
    constexpr std::size_t kDate = std::string_view("2026-11-22T").size();
    return fmt::format("restart {} of {} at {}", restart.attempt, restart.of,
                       core::utc_text(restart.at.wall).substr(kDate));
  }
  std::string operator()(const GiveUp& give_up) const { return "given up: " + give_up.reason; }
  std::string operator()(const Stay& stay) const { return "not restarted: " + stay.reason; }
};

}  // namespace

std::string describe(const RestartDecision& decision) { return std::visit(Describe{}, decision); }

RestartDecision RestartPolicy::on_exit(Moment now, ExitKind kind,
                                       std::chrono::nanoseconds healthy_for,
                                       std::mt19937_64& random) {
  if (config_.restart == core::RestartPolicy::Never) return Stay{"restart = \"never\""};
  if (config_.restart == core::RestartPolicy::OnFailure && kind == ExitKind::Clean) {
    return Stay{"restart = \"on-failure\" and this was none"};
  }
  if (healthy_for >= config_.restart_window) {
    recent_.clear();
    forgiven_ = false;
    delay_ = {};
  }
  while (!recent_.empty() && recent_.front() + config_.restart_window <= now.steady) {
    recent_.pop_front();
  }
  if (recent_.size() >= config_.restarts) {
    if (config_.restarts == 0) return GiveUp{"restarts = 0"};
    return GiveUp{fmt::format("{} restart{} within {}", recent_.size(),
                              recent_.size() == 1 ? "" : "s",
                              duration_text(config_.restart_window))};
  }
  // Whoever served and died is missed: the first time nothing is waited for. Whoever dies again, or
  // never came up, gets time for what it lacks to come back.
  const bool at_once = !forgiven_ && delay_.count() == 0 && healthy_for.count() > 0;
  forgiven_ = forgiven_ || at_once;
  const Moment at = at_once ? now : now + next_delay(random);
  // What counts is when the process is started: the waiting is not part of its chance.
  recent_.push_back(at.steady);
  return Restart{at, static_cast<std::uint32_t>(recent_.size()), config_.restarts};
}

std::chrono::nanoseconds RestartPolicy::next_delay(std::mt19937_64& random) {
  delay_ = delay_.count() == 0 ? config_.backoff_first : std::min(2 * delay_, config_.backoff_last);
  std::uniform_int_distribution<std::int64_t> jitter(0, delay_.count() / 2);
  return delay_ + std::chrono::nanoseconds(jitter(random));
}

}  // namespace flow::host
