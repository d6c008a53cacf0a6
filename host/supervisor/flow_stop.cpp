// SPDX-License-Identifier: Apache-2.0
//
// How a Flow ends: FlowState's part that follows a signal or a failed start.
#include <algorithm>
#include <csignal>

#include "core/limits.hpp"
#include "fmt/format.h"
#include "host/supervisor/flow_state.hpp"

namespace flow::host {
namespace {

// Children keep the drain's deadline themselves and say what they had to abandon; ours only catches
// those that do not.
constexpr std::chrono::seconds kGraceMargin{1};

}  // namespace

Actions FlowState::on_stop_signal(Moment now, int number) {
  if (phase_ == Phase::Ended) return {};
  if (phase_ == Phase::Stopping) {
    act(action::Log{action::Log::Level::Warning, "told to stop again: killing what still runs"});
    kill_all(now, 128 + number);
    return taken();
  }
  const bool drain = phase_ == Phase::Running;
  act(action::Log{action::Log::Level::Info, "stopping"});
  begin_stop(now, 0, drain ? StopOrder::Waves : StopOrder::AtOnce);
  return taken();
}

// The gateway alone is seen by those whom the lame duck is for.
std::chrono::nanoseconds FlowState::drain_grace(const Child& child) const {
  const auto lame_duck =
      is_gateway(child) ? config_.supervise.lame_duck : std::chrono::nanoseconds(0);
  return lame_duck + config_.supervise.drain_timeout + kGraceMargin;
}

void FlowState::begin_stop(Moment now, int status, StopOrder order) {
  phase_ = Phase::Stopping;
  stop_status_ = status;
  stop_order_ = order;
  stop_due_ = now.steady + kAbandonGrace;
  while (!wanted_.empty()) {
    act(action::Replaced{wanted_.front().child, false, "not replaced: the Flow is stopping"});
    wanted_.pop_front();
  }
  act(action::TellParent{{{"STOPPING", "1"}, {"STATUS", "stopping"}}});
  for (Child& child : children_) {
    if (child.life != Life::Backoff) continue;
    child.life = Life::Over;
    set_replicas(now, child, core::ReplicaState::Failed, "not restarted: the Flow is stopping");
  }
  continue_stop(now);
}

std::size_t FlowState::wave_of(const Child& child) const {
  return stop_order_ == StopOrder::AtOnce ? 0 : plan_.children[place(child)].stop_wave;
}

// Tells the next wave when all before it have ended, and quits after the last.
void FlowState::continue_stop(Moment now) {
  std::optional<std::size_t> next;
  for (const Child& child : children_) {
    if (has_process(child)) next = std::min(next.value_or(wave_of(child)), wave_of(child));
  }
  const bool spawning = std::any_of(children_.begin(), children_.end(), [&](const Child& child) {
    return (child.life == Life::Starting && !alive(child)) || (child.swap && child.swap->pid == 0);
  });
  if (!next && spawning) return;  // the answer to Spawn brings us back
  if (!next) {
    phase_ = Phase::Ended;
    act(action::Quit{stop_status_});
    return;
  }
  if (stop_wave_ == next) return;
  stop_wave_ = next;
  killing_ = false;
  stop_grace_ = stop_order_ == StopOrder::AtOnce ? kAbandonGrace : std::chrono::nanoseconds(0);
  for (Child& child : children_) {
    if (!has_process(child) || wave_of(child) != *next) continue;
    if (stop_order_ == StopOrder::Waves) stop_grace_ = std::max(stop_grace_, drain_grace(child));
    if (child.swap && child.swap->pid != 0 && child.swap->underway()) {
      act(action::Replaced{place(child), false, "not replaced: the Flow is stopping"});
      child.swap->stage = Swap::Stage::Abandoned;
      note(now, child, "");
      act(action::Signal{place(child), SIGTERM, Seat::Beside});
    }
    // A second SIGTERM would cut short what a process finishes after the first, whoever sent that.
    if (!alive(child) || child.stopping) continue;
    child.stopping = true;
    set_replicas(now, child, core::ReplicaState::Draining,
                 fmt::format("process {} is stopping with its Flow", child.pid));
    act(action::Signal{place(child), SIGTERM});
  }
  stop_due_ = now.steady + stop_grace_;
}

void FlowState::on_stop_overdue(Moment now) {
  for (Child& child : children_) {
    if (wave_of(child) != stop_wave_) continue;
    if (child.swap && killing_) {
      note(now, child, "");
      child.swap.reset();  // nobody waits for it any more
    } else if (child.swap && child.swap->pid != 0) {
      act(action::Signal{place(child), SIGKILL, Seat::Beside});
    }
    if (!alive(child)) continue;
    if (killing_) {
      const std::string text = fmt::format("process {} did not end within {} of SIGKILL", child.pid,
                                           duration_text(core::limits::kKillWait));
      child.pid = 0;  // nobody waits for it any more
      child.life = Life::Over;
      set_replicas(now, child, core::ReplicaState::Unreachable, text);
      act(action::Log{action::Log::Level::Error, fmt::format("{}: {}", name(child), text)});
    } else {
      act(action::Log{action::Log::Level::Warning,
                      fmt::format("{}: process {} did not end within {} of SIGTERM, killing it",
                                  name(child), child.pid, duration_text(stop_grace_))});
      act(action::Signal{place(child), SIGKILL});
    }
  }
  if (killing_) {
    continue_stop(now);
  } else {
    killing_ = true;
    stop_due_ = now.steady + core::limits::kKillWait;
  }
}

void FlowState::kill_all(Moment now, int status) {
  stop_status_ = status;
  stop_order_ = StopOrder::AtOnce;
  stop_wave_ = 0;
  killing_ = true;
  stop_due_ = now.steady + core::limits::kKillWait;
  for (const Child& child : children_) {
    if (alive(child)) act(action::Signal{place(child), SIGKILL});
    if (child.swap && child.swap->pid != 0) {
      act(action::Signal{place(child), SIGKILL, Seat::Beside});
    }
  }
}

}  // namespace flow::host
