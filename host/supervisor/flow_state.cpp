// SPDX-License-Identifier: Apache-2.0
#include "host/supervisor/flow_state.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

#include "core/limits.hpp"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace flow::host {
namespace {

using core::ReplicaState;

// Between "every process serves" and the gateway's verdict lie a connection and a health check for
// each replica; after this long the gateway will not change its mind.
constexpr std::chrono::seconds kVerdictTimeout{30};

// What the STATUS of an executor contains while it is inside its plugin's create().
constexpr std::string_view kCreating = "create()";

std::string_view value(const core::NotifyMessage& message, std::string_view key) {
  const auto found = message.find(key);
  return found == message.end() ? std::string_view() : std::string_view(found->second);
}

}  // namespace

FlowState::FlowState(const core::FlowConfig& config, const FlowPlan& plan, std::uint64_t seed)
    : config_(config),
      plan_(plan),
      random_(seed),
      children_(plan.children.size(), Child(config.supervise)),
      replicas_(plan.replicas.size()) {}

Actions FlowState::start(Moment now) {
  for (ReplicaStatus& replica : replicas_) {
    replica = {.state = ReplicaState::Starting,
               .reason = "its process is being started",
               .since = now.wall};
  }
  for (Child& child : children_) spawn(now, child);
  return taken();
}

void FlowState::spawn(Moment now, Child& child) {
  child.life = Life::Starting;
  child.due = now.steady + plan_.children[place(child)].timeout_ready;
  child.overdue = false;
  child.stopping = false;
  child.stop_overdue = false;
  child.phase.clear();
  child.failure.clear();
  child.explained = false;
  child.speaker.reset();
  child.hang.clear();
  child.hang_due.reset();
  act(action::Spawn{place(child)});
}

Actions FlowState::on_spawned(Moment now, std::size_t place, pid_t pid, Seat seat) {
  Child& child = children_[place];
  if (seat == Seat::Beside) {
    on_successor_spawned(now, child, pid);
    return taken();
  }
  child.pid = pid;
  // One that was to be spawned before this one could not be, and that began the stop.
  if (phase_ == Phase::Stopping) {
    child.stopping = true;
    if (!stop_wave_) stop_wave_ = wave_of(child);
    act(action::Signal{place, SIGKILL});
    return taken();
  }
  set_replicas(now, child, ReplicaState::Starting,
               starting_reason(child, fmt::format("process {} is starting", pid)));
  return taken();
}

Actions FlowState::on_spawn_failed(Moment now, std::size_t place, std::string_view why, Seat seat) {
  Child& child = children_[place];
  if (seat == Seat::Beside) {
    on_successor_spawn_failed(now, child, why);
  } else if (phase_ == Phase::Starting) {
    child.life = Life::Over;
    set_replicas(now, child, ReplicaState::Failed, fmt::format("cannot be started: {}", why));
    fail_start_of(now, child, fmt::format("cannot be started: {}", why));
  } else if (phase_ == Phase::Running) {
    decide(now, child, ExitKind::Failure, {}, fmt::format("cannot be started: {}", why));
  } else {
    child.life = Life::Over;
    continue_stop(now);
  }
  return taken();
}

Actions FlowState::on_notified(Moment now, pid_t sender, const core::NotifyMessage& message) {
  // Only the process itself speaks for a child: not its descendants, not strangers.
  const auto found = std::find_if(children_.begin(), children_.end(), [&](const Child& child) {
    return child.pid == sender && sender != 0;
  });
  if (phase_ == Phase::Ended) return {};
  if (found == children_.end()) {
    const auto beside = std::find_if(children_.begin(), children_.end(), [&](const Child& child) {
      return child.swap && child.swap->pid == sender && sender != 0;
    });
    if (beside == children_.end()) return {};
    on_successor_notified(now, *beside, message);
    return taken();
  }
  Child& child = *found;

  std::vector<std::size_t> about = replicas_of(child);
  if (const std::string_view executor = value(message, core::notify_key::kExecutor);
      !executor.empty()) {
    std::erase_if(about, [&](std::size_t replica) {
      return config_.executors[plan_.replicas[replica].executor].name != executor;
    });
    if (about.empty()) return {};
    child.speaker = about.front();
  }
  if (const std::string_view failure = value(message, core::notify_key::kFailure);
      !failure.empty()) {
    child.failure = failure;
  }

  const bool about_all = about.size() == replicas_of(child).size();
  if (about_all && value(message, "STOPPING") == "1" && !std::exchange(child.stopping, true)) {
    child.stop_due = now.steady + drain_grace(child);
  }

  if (!value(message, core::notify_key::kHung).empty()) on_hang(now, child, about, message);
  if (!child.hang.empty()) return taken();  // whatever else it says, it will not serve again

  const std::string_view status = value(message, "STATUS");
  const std::string_view verdict = value(message, core::notify_key::kFlowReady);
  if (verdict.empty() && !status.empty()) {
    child.phase = status;
    for (const std::size_t replica : about) {
      const ReplicaState state = replicas_[replica].state;
      set_replica(
          now, replica, state,
          state == ReplicaState::Starting ? starting_reason(child, status) : std::string(status),
          child.pid);
    }
  }
  if (phase_ == Phase::Starting || phase_ == Phase::Running) {
    if (value(message, "STOPPING") == "1") {
      for (const std::size_t replica : about) {
        set_replica(now, replica, ReplicaState::Draining,
                    fmt::format("process {} is stopping", child.pid), child.pid);
      }
    } else if (value(message, "READY") == "1") {
      for (const std::size_t replica : about) {
        set_replica(
            now, replica, ReplicaState::Ready,
            status.empty() ? fmt::format("process {} serves", child.pid) : std::string(status),
            child.pid);
      }
      on_said_ready(now, child);
    }
    if (is_gateway(child) && !verdict.empty()) on_verdict(now, verdict == "1", status);
    if (is_gateway(child)) on_gateway_word(now, message);
    begin_swaps(now);
  }
  return taken();
}

// Some executors of the process, or all of them, became ready.
void FlowState::on_said_ready(Moment now, Child& child) {
  const bool all = std::all_of(
      replicas_of(child).begin(), replicas_of(child).end(),
      [&](std::size_t replica) { return replicas_[replica].state == ReplicaState::Ready; });
  if (!all || child.life != Life::Starting || child.overdue) return;
  child.life = Life::Ready;
  child.ready_since = now.steady;
  if (child.attempt > 0) {
    act(action::Log{action::Log::Level::Info,
                    fmt::format("{}: process {} is ready", name(child), child.pid)});
  }
  if (std::exchange(child.replacing, false)) {
    act(action::Replaced{place(child), true,
                         fmt::format("{}: process {} is ready", name(child), child.pid)});
  }
  const bool everybody = std::all_of(children_.begin(), children_.end(),
                                     [](const Child& other) { return other.life == Life::Ready; });
  if (phase_ == Phase::Starting && everybody) verdict_due_ = now.steady + kVerdictTimeout;
}

void FlowState::on_hang(Moment now, Child& child, const std::vector<std::size_t>& about,
                        const core::NotifyMessage& message) {
  const std::string sentence(value(message, core::notify_key::kHung));
  const std::vector<std::string> stack =
      core::split_lines(value(message, core::notify_key::kStack));
  const bool first = child.hang.empty();
  const bool explained = message.contains(core::notify_key::kStack);
  if (first) {
    child.hang = sentence;
    act(action::Log{action::Log::Level::Error,
                    fmt::format("{}: process {} hangs and will be killed: {}", name(child),
                                child.pid, sentence)});
  }
  const Time due = now.steady + core::limits::kHangGrace;
  if (explained) child.hang_due = std::min(child.hang_due.value_or(due), due);
  if (!child.hang_due) child.hang_due = due + core::limits::kHangExplained;
  if (first || !stack.empty()) {
    set_stacks(child, stack);
    child.failure = child.hang;
    for (const std::string& line : stack) child.failure += "\n" + line;
  }
  if (phase_ == Phase::Stopping) return;  // it is DRAINING, and its end is waited for anyway
  for (const std::size_t replica : replicas_of(child)) {
    const bool is_stuck = std::find(about.begin(), about.end(), replica) != about.end();
    if (is_stuck) {
      set_replica(now, replica, ReplicaState::Hung, sentence, child.pid);
    } else if (replicas_[replica].state != ReplicaState::Hung) {
      set_replica(now, replica, ReplicaState::Draining,
                  fmt::format("process {}, which it shares, hangs: {}", child.pid, child.hang),
                  child.pid);
    }
    if (!stack.empty()) act(action::Publish{replica});
  }
}

void FlowState::on_verdict(Moment, bool ready, std::string_view reason) {
  not_ready_reason_ = ready ? std::string_view() : reason;
  const bool changed = std::exchange(ready_, ready) != ready;
  if (phase_ == Phase::Starting) {
    if (!ready) return;
    phase_ = Phase::Running;
    verdict_due_.reset();
    act(action::AnnounceReady{});
    act(action::TellParent{{{"READY", "1"}, {"STATUS", "the Flow is ready"}}});
    return;
  }
  const std::string text =
      ready ? "the Flow is ready again" : fmt::format("the Flow is not ready: {}", reason);
  act(action::TellParent{{{"STATUS", text}}});
  if (!changed) return;
  act(action::Log{ready ? action::Log::Level::Info : action::Log::Level::Warning, text});
}

Actions FlowState::on_exited(Moment now, std::size_t place, const ProcessExit& exit, Seat seat,
                             const CrashEvidence& crash) {
  Child& child = children_[place];
  if (seat == Seat::Beside) {
    on_beside_exited(now, child, exit, crash);
    return taken();
  }
  if (!alive(child)) return {};  // given up on: SIGKILL did not end it in time
  const pid_t pid = std::exchange(child.pid, 0);
  const auto healthy_for =
      child.life == Life::Ready ? now.steady - child.ready_since : std::chrono::nanoseconds(0);
  const std::string end = describe(pid, exit, now.wall) + crash.clause();
  // What is known of this process stays, because it is killed for that; of those before it goes.
  if (!child.explained) set_stacks(child, crash.lines);
  set_ended(child, pid, end);
  switch (phase_) {
    case Phase::Starting: {
      child.life = Life::Over;
      set_replicas(now, child, ReplicaState::Failed, end);
      if (!child.failure.empty()) {
        fail_start_of(now, child, child.failure);
      } else {
        fail_start_of(now, child,
                      fmt::format("its process {} {}{}{}", pid, describe(exit), crash.clause(),
                                  child.phase.empty() ? "" : " while " + child.phase));
      }
      break;
    }
    case Phase::Running: {
      std::string cause = end;
      if (!child.hang.empty()) {
        cause += ", because " + child.hang;
      } else if (child.overdue) {
        cause += fmt::format(", because it was not ready within {}",
                             duration_text(plan_.children[place].timeout_ready));
      } else if (!child.failure.empty()) {
        cause += ": " + child.failure;
      }
      set_ended(child, pid, cause);
      const bool clean = exit.clean() && !child.overdue && child.hang.empty();
      if (!adopt_successor(now, child, cause)) {
        decide(now, child, clean ? ExitKind::Clean : ExitKind::Failure, healthy_for, cause);
      }
      begin_swaps(now);
      break;
    }
    case Phase::Stopping: {
      child.life = Life::Over;
      set_replicas(now, child, ReplicaState::Failed, end);
      // Others that fail for a reason of their own are part of the answer to "why did it not
      // start".
      const bool by_itself =
          exit.how == ProcessExit::How::Killed && exit.value != SIGTERM && exit.value != SIGKILL;
      if (start_failed_ && !child.overdue && !child.failure.empty()) {
        act(action::ReportError{fmt::format("{}: {}", who(child), child.failure)});
      } else if (start_failed_ && by_itself) {
        act(action::ReportError{fmt::format("{}: its process {} {}{}{}", who(child), pid,
                                            describe(exit), crash.clause(),
                                            child.phase.empty() ? "" : " while " + child.phase)});
      }
      continue_stop(now);
      break;
    }
    case Phase::Ended:
      break;
  }
  return taken();
}

void FlowState::decide(Moment now, Child& child, ExitKind kind,
                       std::chrono::nanoseconds healthy_for, const std::string& cause) {
  const RestartDecision decision = child.policy.on_exit(now, kind, healthy_for, random_);
  const std::string reason = fmt::format("{}; {}", cause, describe(decision));
  if (std::exchange(child.replacing, false)) {
    act(action::Replaced{place(child), false, fmt::format("{}: {}", name(child), reason)});
  }
  if (is_gateway(child)) {
    ready_ = false;
    act(action::TellParent{
        {{"STATUS", fmt::format("the Flow is not ready: the gateway: {}", reason)}}});
  }
  if (const Restart* restart = std::get_if<Restart>(&decision)) {
    child.life = Life::Backoff;
    child.due = restart->at.steady;
    child.attempt = restart->attempt;
    child.ended = cause;
    set_replicas(now, child, ReplicaState::Backoff, reason);
    act(action::Log{action::Log::Level::Warning, fmt::format("{}: {}", name(child), reason)});
    return;
  }
  child.life = Life::Over;
  set_replicas(now, child, ReplicaState::Failed, reason);
  act(action::Log{action::Log::Level::Error, fmt::format("{}: {}", name(child), reason)});
  // Without executors the Flow still says why it is not ready; without its gateway it says nothing.
  if (is_gateway(child)) {
    act(action::ReportError{fmt::format("the gateway: {}", reason)});
    begin_stop(now, 1, StopOrder::Waves);
  }
}

Actions FlowState::on_tick(Moment now) {
  if (phase_ == Phase::Stopping) {
    if (now.steady >= stop_due_) on_stop_overdue(now);
    return taken();
  }
  if (phase_ == Phase::Ended) return {};
  for (Child& child : children_) {
    if (alive(child) && child.hang_due && now.steady >= *child.hang_due) {
      child.hang_due.reset();
      act(action::Signal{place(child), SIGKILL});
    }
    if (child.swap && now.steady >= child.swap->due) on_swap_overdue(now, child);
    if (stops_by_itself(child) && now.steady >= child.stop_due) {
      child.stop_overdue = true;
      act(action::Log{action::Log::Level::Warning,
                      fmt::format("{}: process {} said that it stops and did not within {}, "
                                  "killing it",
                                  name(child), child.pid, duration_text(drain_grace(child)))});
      act(action::Signal{place(child), SIGKILL});
    }
    if (now.steady < child.due) continue;
    if (child.life == Life::Backoff && phase_ == Phase::Running) {
      spawn(now, child);
    } else if (must_become_ready(child)) {
      on_ready_overdue(now, child);
    }
  }
  if (phase_ == Phase::Starting && verdict_due_ && now.steady >= *verdict_due_) {
    fail_start(now,
               fmt::format("all processes run, but the gateway does not find the Flow ready "
                           "within {}: {}",
                           duration_text(kVerdictTimeout),
                           not_ready_reason_.empty() ? "it did not say why" : not_ready_reason_));
  }
  begin_swaps(now);
  return taken();
}

void FlowState::on_ready_overdue(Moment now, Child& child) {
  child.overdue = true;
  const std::string within = duration_text(plan_.children[place(child)].timeout_ready);
  if (phase_ == Phase::Running) {
    act(action::Log{action::Log::Level::Warning,
                    fmt::format("{}: process {} is not ready within {}, killing it", name(child),
                                child.pid, within)});
  } else if (child.phase.find(kCreating) != std::string::npos && !is_gateway(child)) {
    const std::size_t replica = child.speaker.value_or(replicas_of(child).front());
    fail_start_of(now, child,
                  fmt::format("create() of plugin \"{}\" did not return within {} (timeout_ready)",
                              config_.executors[plan_.replicas[replica].executor].uses, within));
  } else {
    fail_start_of(now, child,
                  fmt::format("its process {} was not ready within {}{}", child.pid, within,
                              child.phase.empty() ? "" : ": " + child.phase));
  }
  // Whatever holds it up would also hold up its answer to SIGTERM.
  act(action::Signal{place(child), SIGKILL});
}

void FlowState::fail_start_of(Moment now, const Child& child, std::string_view what) {
  fail_start(now, fmt::format("{}: {}", who(child), what));
}

void FlowState::fail_start(Moment now, const std::string& text) {
  act(action::ReportError{text});
  start_failed_ = true;
  if (phase_ == Phase::Starting) begin_stop(now, 1, StopOrder::AtOnce);
}

std::optional<FlowState::Time> FlowState::deadline() const {
  if (phase_ == Phase::Ended) return std::nullopt;
  if (phase_ == Phase::Stopping) return stop_due_;
  std::optional<Time> first = verdict_due_;
  for (const Child& child : children_) {
    const bool waits = child.life == Life::Backoff || must_become_ready(child);
    if (waits) first = std::min(first.value_or(child.due), child.due);
    if (alive(child) && child.hang_due) {
      first = std::min(first.value_or(*child.hang_due), *child.hang_due);
    }
    if (child.swap && child.swap->due != Time::max())
      first = std::min(first.value_or(child.swap->due), child.swap->due);
    if (stops_by_itself(child)) first = std::min(first.value_or(child.stop_due), child.stop_due);
  }
  return first;
}

FlowState::Progress FlowState::progress() const {
  Progress progress;
  for (std::size_t i = 0; i < replicas_.size(); ++i) {
    if (replicas_[i].state == ReplicaState::Ready) continue;
    progress.waiting_for.push_back(replica_name(config_, plan_.replicas[i]));
  }
  if (!ready_) progress.waiting_for.emplace_back("gateway");
  progress.total = replicas_.size() + 1;
  return progress;
}

// With the state that changes next, to whoever is told of it.
void FlowState::set_stacks(Child& child, const std::vector<std::string>& stacks) {
  child.explained = !stacks.empty();
  for (const std::size_t replica : replicas_of(child)) replicas_[replica].stacks = stacks;
}

// As set_stacks, and with them.
void FlowState::set_ended(const Child& child, pid_t pid, const std::string& cause) {
  for (const std::size_t replica : replicas_of(child)) {
    replicas_[replica].ended = {pid, cause, replicas_[replica].stacks};
  }
}

void FlowState::set_replica(Moment now, std::size_t replica, ReplicaState state, std::string reason,
                            pid_t pid) {
  ReplicaStatus& status = replicas_[replica];
  const auto since = status.state == state && status.pid == pid ? status.since : now.wall;
  const ReplicaStatus changed{state,         std::move(reason), since,       pid,
                              status.stacks, status.successor,  status.note, status.ended};
  if (status == changed) return;
  status = changed;
  act(action::Publish{replica});
}

void FlowState::set_replicas(Moment now, const Child& child, ReplicaState state,
                             const std::string& reason) {
  for (const std::size_t replica : replicas_of(child)) {
    set_replica(now, replica, state, reason, child.pid);
  }
}

std::string FlowState::starting_reason(const Child& child, std::string_view what) const {
  if (child.attempt == 0) return std::string(what);
  return fmt::format("{} (restart {} of {}): {}", what, child.attempt, config_.supervise.restarts,
                     child.ended);
}

std::string FlowState::who(const Child& child) const {
  if (is_gateway(child)) return "the gateway";
  const auto named = [&](std::size_t replica) {
    const core::ExecutorConfig& executor = config_.executors[plan_.replicas[replica].executor];
    return fmt::format("\"{}\" ({}:{}:{})", replica_name(config_, plan_.replicas[replica]),
                       config_.file, executor.at.line, executor.at.column);
  };
  const std::vector<std::size_t>& all = replicas_of(child);
  if (child.speaker) return "executor " + named(*child.speaker);
  if (all.size() == 1) return "executor " + named(all.front());
  std::vector<std::string> names;
  for (const std::size_t replica : all) names.push_back(named(replica));
  return fmt::format("executors {}", fmt::join(names, ", "));
}

}  // namespace flow::host
