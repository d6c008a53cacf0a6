// SPDX-License-Identifier: Apache-2.0
//
// How a process is replaced by a new one beside it: FlowState's part between "a new one is wanted"
// and the end of the old one, or of the new one if it could not take over.
#include <algorithm>
#include <charconv>
#include <csignal>
#include <utility>

#include "core/limits.hpp"
#include "core/time_text.hpp"
#include "fmt/format.h"
#include "host/supervisor/flow_state.hpp"

namespace flow::host {
namespace {

using core::ReplicaState;

// "executor0/rep-0 4711 and why"
struct GatewayWord {
  std::string_view replica;
  pid_t pid = 0;
  std::string_view why;
};

std::optional<GatewayWord> gateway_word(const core::NotifyMessage& message, std::string_view key) {
  const auto found = message.find(key);
  if (found == message.end()) return std::nullopt;
  const std::string_view text = found->second;
  const std::size_t blank = text.find(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  GatewayWord word{text.substr(0, blank), 0, {}};
  const char* end = text.data() + text.size();
  const auto [rest, failure] = std::from_chars(text.data() + blank + 1, end, word.pid);
  if (failure != std::errc() || word.pid <= 0) return std::nullopt;
  word.why = std::string_view(rest, static_cast<std::size_t>(end - rest));
  if (word.why.starts_with(' ')) word.why.remove_prefix(1);
  return word;
}

}  // namespace

void FlowState::on_reconfigured() {
  for (Child& child : children_) child.policy.configure(config_.supervise);
}

// ---- what is wanted -----------------------------------------------------------------------------

Actions FlowState::on_replace(Moment now, std::size_t place, std::string why) {
  if (phase_ != Phase::Running || place == FlowPlan::kGateway) {
    act(action::Replaced{
        place, false,
        fmt::format("{}: not replaced: {}", name(children_[place]),
                    phase_ == Phase::Running ? "it is the gateway" : "the Flow is not running")});
    return taken();
  }
  const bool waits = std::any_of(wanted_.begin(), wanted_.end(),
                                 [&](const Wanted& each) { return each.child == place; });
  if (!waits) wanted_.push_back({place, std::move(why)});
  begin_swaps(now);
  return taken();
}

Actions FlowState::on_replace_refused(Moment now, std::size_t place, std::string_view why) {
  const Child& child = children_[place];
  const std::string text = fmt::format("swap at {} refused: {}", core::utc_text(now.wall), why);
  if (!child.swap || !child.swap->underway()) note(now, child, text);
  act(action::Log{action::Log::Level::Warning, fmt::format("{}: {}", name(child), text)});
  act(action::Replaced{place, false, fmt::format("{}: {}", name(child), text)});
  return taken();
}

// One at a time, so that a Flow needs the memory of one process more and not twice its own; one
// that is not in a state to be replaced lets others go ahead.
void FlowState::begin_swaps(Moment now) {
  if (phase_ != Phase::Running) return;
  for (auto wanted = wanted_.begin(); wanted != wanted_.end();) {
    const bool busy = std::any_of(children_.begin(), children_.end(), [](const Child& child) {
      return child.swap && child.swap->underway();
    });
    if (busy) return;
    if (begin_swap(now, children_[wanted->child], wanted->why)) {
      wanted = wanted_.erase(wanted);
    } else {
      ++wanted;
    }
  }
}

bool FlowState::begin_swap(Moment now, Child& child, const std::string& why) {
  if (child.swap) return false;
  switch (child.life) {
    case Life::Starting:
      return false;
    case Life::Ready:
      if (child.stopping) return false;
      child.swap = Swap{};
      child.swap->why = why;
      child.swap->due = now.steady + plan_.children[place(child)].timeout_ready;
      child.swap->to_move.insert(replicas_of(child).begin(), replicas_of(child).end());
      act(action::Spawn{place(child), Seat::Beside});
      return true;
    case Life::Backoff:
    case Life::Over:
      act(action::Log{action::Log::Level::Info,
                      fmt::format("{}: starting it again: {}", name(child), why)});
      child.policy = RestartPolicy(config_.supervise);
      child.attempt = 0;
      child.replacing = true;
      note(now, child, "");
      spawn(now, child);
      return true;
  }
  return false;
}

void FlowState::note(Moment, const Child& child, const std::string& text, pid_t successor) {
  for (const std::size_t replica : replicas_of(child)) {
    ReplicaStatus& status = replicas_[replica];
    if (status.note == text && status.successor == successor) continue;
    status.note = text;
    status.successor = successor;
    act(action::Publish{replica});
  }
}

// ---- the successor ------------------------------------------------------------------------------

void FlowState::on_successor_spawned(Moment now, Child& child, pid_t pid) {
  child.swap->pid = pid;
  // One that was to be spawned before this one could not be, and that began the stop.
  if (phase_ == Phase::Stopping) {
    child.swap->stage = Swap::Stage::Abandoned;
    if (!stop_wave_) stop_wave_ = wave_of(child);
    act(action::Signal{place(child), SIGKILL, Seat::Beside});
    return;
  }
  note(now, child, fmt::format("process {} is starting beside it: {}", pid, child.swap->why));
}

void FlowState::on_successor_spawn_failed(Moment now, Child& child, std::string_view why) {
  if (phase_ == Phase::Stopping) {
    child.swap.reset();
    return continue_stop(now);
  }
  fail_swap(now, child, fmt::format("cannot be started: {}", why));
  begin_swaps(now);
}

void FlowState::on_successor_notified(Moment now, Child& child,
                                      const core::NotifyMessage& message) {
  if (phase_ != Phase::Running || !child.swap->underway()) return;
  const auto said = [&](std::string_view key) {
    const auto found = message.find(key);
    return found == message.end() ? std::string_view() : std::string_view(found->second);
  };
  if (const auto failure = said(core::notify_key::kFailure); !failure.empty()) {
    child.swap->failure = failure;
  }
  if (const auto hang = said(core::notify_key::kHung); !hang.empty()) {
    // It will not serve, whatever it says later; its end is on its way.
    return fail_swap(now, child, fmt::format("process {}: {}", child.swap->pid, hang));
  }
  if (const auto status = said("STATUS"); !status.empty()) child.swap->phase = status;
  const bool about_all = said(core::notify_key::kExecutor).empty();
  if (child.swap->stage == Swap::Stage::Starting && about_all && said("READY") == "1") {
    child.swap->stage = Swap::Stage::Moving;
    child.swap->due = now.steady + core::limits::kMoveTimeout;
    note(now, child,
         fmt::format("process {} is tried beside it: {}", child.swap->pid, child.swap->why),
         child.swap->pid);
  }
}

void FlowState::on_gateway_word(Moment now, const core::NotifyMessage& message) {
  const auto moved = gateway_word(message, core::notify_key::kMoved);
  const auto refused = gateway_word(message, core::notify_key::kRefused);
  const auto& word = moved ? moved : refused;
  if (!word) return;
  const auto found = std::find_if(children_.begin(), children_.end(), [&](const Child& child) {
    return child.swap && child.swap->pid == word->pid && child.swap->stage == Swap::Stage::Moving;
  });
  if (found == children_.end()) return;  // decided already
  Child& child = *found;
  if (!moved) return fail_swap(now, child, std::string(word->why));
  std::erase_if(child.swap->to_move, [&](std::size_t replica) {
    const ReplicaPlan& plan = plan_.replicas[replica];
    return word->replica ==
           fmt::format("{}/rep-{}", config_.executors[plan.executor].name, plan.replica);
  });
  if (child.swap->to_move.empty()) complete_swap(now, child);
}

void FlowState::on_swap_overdue(Moment now, Child& child) {
  Swap& swap = *child.swap;
  switch (swap.stage) {
    case Swap::Stage::Starting:
      return fail_swap(now, child,
                       fmt::format("it was not ready within {} (timeout_ready){}",
                                   duration_text(plan_.children[place(child)].timeout_ready),
                                   swap.phase.empty() ? "" : ": " + swap.phase));
    case Swap::Stage::Moving:
      return fail_swap(now, child,
                       fmt::format("the gateway did not move calls to it within {}",
                                   duration_text(core::limits::kMoveTimeout)));
    case Swap::Stage::Leaving:
    case Swap::Stage::Abandoned:
      break;
  }
  if (swap.killed) {
    act(action::Log{action::Log::Level::Error,
                    fmt::format("{}: process {} did not end within {} of SIGKILL", name(child),
                                swap.pid, duration_text(core::limits::kKillWait))});
    swap.due = Time::max();  // until it has ended there is no place for another
    return;
  }
  act(action::Log{action::Log::Level::Warning,
                  fmt::format("{}: process {}, which was replaced, did not end within {}, "
                              "killing it",
                              name(child), swap.pid, duration_text(drain_grace(child)))});
  tell_beside_to_stop(now, child, SIGKILL);
}

void FlowState::tell_beside_to_stop(Moment now, Child& child, int number) {
  child.swap->killed = number == SIGKILL;
  child.swap->due =
      now.steady +
      (child.swap->killed ? std::chrono::nanoseconds(core::limits::kKillWait) : drain_grace(child));
  act(action::Signal{place(child), number, Seat::Beside});
}

// ---- how it ends --------------------------------------------------------------------------------

void FlowState::complete_swap(Moment now, Child& child) {
  const pid_t before = std::exchange(child.pid, child.swap->pid);
  child.swap->pid = before;
  child.swap->stage = Swap::Stage::Leaving;
  child.ready_since = now.steady;
  child.policy = RestartPolicy(config_.supervise);
  child.attempt = 0;
  child.phase = std::move(child.swap->phase);
  child.failure.clear();
  child.explained = false;
  child.hang.clear();
  child.hang_due.reset();
  const std::string text = fmt::format("process {} has taken over from process {}: {}", child.pid,
                                       before, child.swap->why);
  // The paths first, then who is told of them; the one that leaves is the last to know.
  act(action::Promote{place(child)});
  set_replicas(now, child, ReplicaState::Ready, fmt::format("process {} serves", child.pid));
  note(now, child, "");
  act(action::Log{action::Log::Level::Info, fmt::format("{}: {}", name(child), text)});
  act(action::Replaced{place(child), true, fmt::format("{}: {}", name(child), text)});
  child.swap->due = now.steady + drain_grace(child);
  const bool stops_already = std::exchange(child.stopping, false);
  child.stop_overdue = false;
  // A second SIGTERM would cut short what it finishes.
  if (!stops_already) tell_beside_to_stop(now, child, SIGTERM);
}

void FlowState::fail_swap(Moment now, Child& child, const std::string& why) {
  const Swap::Stage stage = child.swap->stage;
  const pid_t pid = child.swap->pid;
  const std::string text = fmt::format(
      "swap {}at {} failed: {}", pid == 0 ? std::string() : fmt::format("to process {} ", pid),
      core::utc_text(now.wall), why);
  note(now, child, text);
  const std::string stays =
      fmt::format("{}: {}; process {} keeps serving", name(child), text, child.pid);
  act(action::Log{action::Log::Level::Warning, stays});
  act(action::Replaced{place(child), false, stays});
  if (pid == 0) {
    child.swap.reset();
    return;
  }
  child.swap->stage = Swap::Stage::Abandoned;
  // One that served may have calls to finish; whatever holds up the start of another would also
  // hold up its answer to SIGTERM.
  tell_beside_to_stop(now, child, stage == Swap::Stage::Moving ? SIGTERM : SIGKILL);
}

void FlowState::on_beside_exited(Moment now, Child& child, const ProcessExit& exit,
                                 const CrashEvidence& crash) {
  if (!child.swap || child.swap->pid == 0) return;  // given up on
  const Swap swap = *child.swap;
  child.swap->pid = 0;
  const std::string end = describe(swap.pid, exit, now.wall) + crash.clause();
  for (const std::size_t replica : replicas_of(child)) {
    replicas_[replica].ended = {swap.pid, end, crash.lines};
    act(action::Publish{replica});
  }
  if (phase_ == Phase::Running && swap.underway()) {
    std::string why = fmt::format("process {} {}{}", swap.pid, describe(exit), crash.clause());
    if (!swap.failure.empty()) {
      why += ": " + swap.failure;
    } else if (!swap.phase.empty() && swap.stage == Swap::Stage::Starting) {
      why += " while " + swap.phase;
    }
    fail_swap(now, child, why);
  } else if (swap.underway()) {
    note(now, child, "");  // the Flow is stopping: nobody is moved to it any more
  } else if (!swap.killed && !exit.clean()) {
    const bool replaced = swap.stage == Swap::Stage::Leaving;
    act(action::Log{action::Log::Level::Warning,
                    fmt::format("{}: process {}, which {}, {}{}", name(child), swap.pid,
                                replaced ? "was replaced" : "was to take over", describe(exit),
                                crash.clause())});
    // The gateway gave it up, and may have seen no more than that it was gone.
    if (!replaced) {
      note(now, child, fmt::format("{}; {}", replicas_[replicas_of(child).front()].note, end));
    }
  }
  child.swap.reset();
  if (phase_ == Phase::Stopping) return continue_stop(now);
  begin_swaps(now);
}

// The one that served has died while its successor was on its way: that is then its restart.
bool FlowState::adopt_successor(Moment now, Child& child, const std::string& cause) {
  if (!child.swap || !child.swap->underway() || child.swap->pid == 0) return false;
  const Swap swap = *std::exchange(child.swap, std::nullopt);
  const bool ready = swap.stage == Swap::Stage::Moving;
  child.pid = swap.pid;
  child.life = ready ? Life::Ready : Life::Starting;
  child.due = swap.due;
  child.ready_since = now.steady;
  child.overdue = child.stopping = child.stop_overdue = false;
  child.attempt = 0;
  child.phase = swap.phase;
  child.failure = swap.failure;
  child.explained = false;
  child.speaker.reset();
  child.hang.clear();
  child.hang_due.reset();
  child.replacing = !ready;
  const std::string text = fmt::format("{}; process {}, started to replace it, {}", cause, swap.pid,
                                       ready ? "serves in its place" : "is starting in its place");
  act(action::Promote{place(child)});
  set_replicas(now, child, ready ? ReplicaState::Ready : ReplicaState::Starting, text);
  note(now, child, "");
  act(action::Log{action::Log::Level::Warning, fmt::format("{}: {}", name(child), text)});
  if (ready) act(action::Replaced{place(child), true, fmt::format("{}: {}", name(child), text)});
  return true;
}

}  // namespace flow::host
