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
    replica = {ReplicaState::Starting, "its process is being started", now.wall, 0, {}};
  }
  for (Child& child : children_) spawn(now, child);
  return taken();
}

void FlowState::spawn(Moment now, Child& child) {
  child.life = Life::Starting;
  child.due = now.steady + plan_.children[place(child)].timeout_ready;
  child.overdue = false;
  child.stopping = false;
  child.phase.clear();
  child.failure.clear();
  child.explained = false;
  child.speaker.reset();
  act(action::Spawn{place(child)});
}

Actions FlowState::on_spawned(Moment now, std::size_t place, pid_t pid) {
  Child& child = children_[place];
  child.pid = pid;
  // One that was to be spawned before this one could not be, and that began the stop.
  if (phase_ == Phase::Stopping) {
    child.stopping = true;
    if (!stop_wave_) stop_wave_ = wave_of(child);
    act(action::Signal{place, SIGKILL});
    return taken();
  }
  set_replicas(now, child, ReplicaState::Starting,
               child.attempt == 0 ? fmt::format("process {} is starting", pid)
                                  : fmt::format("process {} is starting (restart {} of {})", pid,
                                                child.attempt, config_.supervise.restarts));
  return taken();
}

Actions FlowState::on_spawn_failed(Moment now, std::size_t place, std::string_view why) {
  Child& child = children_[place];
  if (phase_ == Phase::Starting) {
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
  if (found == children_.end() || phase_ == Phase::Ended) return {};
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
  if (about_all && value(message, "STOPPING") == "1") child.stopping = true;

  const std::string_view status = value(message, "STATUS");
  const std::string_view verdict = value(message, core::notify_key::kFlowReady);
  if (verdict.empty() && !status.empty()) {
    child.phase = status;
    for (const std::size_t replica : about) {
      set_replica(now, replica, replicas_[replica].state, std::string(status), child.pid);
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
  const bool everybody = std::all_of(children_.begin(), children_.end(),
                                     [](const Child& other) { return other.life == Life::Ready; });
  if (phase_ == Phase::Starting && everybody) verdict_due_ = now.steady + kVerdictTimeout;
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

Actions FlowState::on_exited(Moment now, std::size_t place, const ProcessExit& exit,
                             const CrashEvidence& crash) {
  Child& child = children_[place];
  if (!alive(child)) return {};  // given up on: SIGKILL did not end it in time
  const pid_t pid = std::exchange(child.pid, 0);
  const auto healthy_for =
      child.life == Life::Ready ? now.steady - child.ready_since : std::chrono::nanoseconds(0);
  const std::string where = crash.where.empty() ? "" : " " + crash.where;
  // What is known of this process stays, if it is killed for it; what is known of those before
  // goes.
  if (!crash.lines.empty() || !child.explained) set_stacks(child, crash.lines);
  switch (phase_) {
    case Phase::Starting: {
      child.life = Life::Over;
      set_replicas(now, child, ReplicaState::Failed, describe(pid, exit, now.wall) + where);
      if (!child.failure.empty()) {
        fail_start_of(now, child, child.failure);
      } else {
        fail_start_of(now, child,
                      fmt::format("its process {} {}{}{}", pid, describe(exit), where,
                                  child.phase.empty() ? "" : " while " + child.phase));
      }
      break;
    }
    case Phase::Running: {
      std::string cause = describe(pid, exit, now.wall) + where;
      if (child.overdue) {
        cause += fmt::format(", because it was not ready within {}",
                             duration_text(plan_.children[place].timeout_ready));
      } else if (!child.failure.empty()) {
        cause += ": " + child.failure;
      }
      decide(now, child, exit.clean() && !child.overdue ? ExitKind::Clean : ExitKind::Failure,
             healthy_for, cause);
      break;
    }
    case Phase::Stopping: {
      child.life = Life::Over;
      set_replicas(now, child, ReplicaState::Failed, describe(pid, exit, now.wall) + where);
      // Others that fail for a reason of their own are part of the answer to "why did it not
      // start".
      const bool by_itself =
          exit.how == ProcessExit::How::Killed && exit.value != SIGTERM && exit.value != SIGKILL;
      if (start_failed_ && !child.overdue && !child.failure.empty()) {
        act(action::ReportError{fmt::format("{}: {}", who(child), child.failure)});
      } else if (start_failed_ && by_itself) {
        act(action::ReportError{fmt::format("{}: its process {} {}{}", who(child), pid,
                                            describe(exit),
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
  if (is_gateway(child)) {
    ready_ = false;
    act(action::TellParent{
        {{"STATUS", fmt::format("the Flow is not ready: the gateway: {}", reason)}}});
  }
  if (const Restart* restart = std::get_if<Restart>(&decision)) {
    child.life = Life::Backoff;
    child.due = restart->at.steady;
    child.attempt = restart->attempt;
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
    begin_stop(now, 1, StopOrder::Waves, drain_grace());
  }
}

Actions FlowState::on_tick(Moment now) {
  if (phase_ == Phase::Stopping) {
    if (now.steady >= stop_due_) on_stop_overdue(now);
    return taken();
  }
  if (phase_ == Phase::Ended) return {};
  for (Child& child : children_) {
    if (now.steady < child.due) continue;
    if (child.life == Life::Backoff && phase_ == Phase::Running) {
      spawn(now, child);
    } else if (child.life == Life::Starting && alive(child) && !child.overdue) {
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
  if (phase_ == Phase::Starting) begin_stop(now, 1, StopOrder::AtOnce, kAbandonGrace);
}

std::optional<FlowState::Time> FlowState::deadline() const {
  if (phase_ == Phase::Ended) return std::nullopt;
  if (phase_ == Phase::Stopping) return stop_due_;
  std::optional<Time> first = verdict_due_;
  for (const Child& child : children_) {
    const bool waits = child.life == Life::Backoff ||
                       (child.life == Life::Starting && alive(child) && !child.overdue);
    if (waits) first = std::min(first.value_or(child.due), child.due);
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

void FlowState::set_replica(Moment now, std::size_t replica, ReplicaState state, std::string reason,
                            pid_t pid) {
  ReplicaStatus& status = replicas_[replica];
  const auto since = status.state == state && status.pid == pid ? status.since : now.wall;
  const ReplicaStatus changed{state, std::move(reason), since, pid, status.stacks};
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
