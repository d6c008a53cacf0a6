// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/config.hpp"
#include "host/supervisor/flow_state.hpp"

namespace flow::host {

// 2026-11-22T08:15:30.123Z on the wall, an arbitrary steady time.
inline Moment test_moment() {
  using namespace std::chrono;
  return {steady_clock::time_point(hours(100)),
          system_clock::time_point(sys_days(year(2026) / 11 / 22) + hours(8) + minutes(15) +
                                   seconds(30) + milliseconds(123))};
}

inline core::ExecutorConfig test_executor(std::string name, std::vector<std::string> needs = {},
                                          std::string process = {}, std::uint32_t replicas = 1) {
  core::ExecutorConfig executor;
  executor.name = std::move(name);
  executor.uses = "plug";
  executor.needs = std::move(needs);
  executor.process = std::move(process);
  executor.replicas = replicas;
  executor.at = {4, 1};
  return executor;
}

inline core::FlowConfig test_config(std::vector<core::ExecutorConfig> executors) {
  core::FlowConfig config;
  config.file = "flow.toml";
  config.name = "test";
  config.executors = std::move(executors);
  return config;
}

// Plays the shell for a FlowState: spawns by counting process ids, remembers what it was told to do
// and owns the time.
class FlowDriver {
 public:
  explicit FlowDriver(core::FlowConfig configuration, std::uint64_t seed = 1)
      : config(std::move(configuration)),
        plan(plan_flow(config)),
        state(config, plan, seed),
        pids(plan.children.size(), 0),
        beside(plan.children.size(), 0),
        spawns(plan.children.size(), 0) {}

  void start() { perform(state.start(now)); }

  void notify(std::size_t child, core::NotifyMessage message) {
    perform(state.on_notified(now, pids[child], message));
  }
  void exit(std::size_t child, ProcessExit how, const CrashEvidence& evidence = {}) {
    pids[child] = 0;
    perform(state.on_exited(now, child, how, Seat::Serving, evidence));
  }
  void notify_beside(std::size_t child, core::NotifyMessage message) {
    perform(state.on_notified(now, beside[child], message));
  }
  void exit_beside(std::size_t child, ProcessExit how, const CrashEvidence& evidence = {}) {
    beside[child] = 0;
    perform(state.on_exited(now, child, how, Seat::Beside, evidence));
  }
  void replace(std::size_t child, std::string why = "it was replaced") {
    perform(state.on_replace(now, child, std::move(why)));
  }
  void refuse(std::size_t child, std::string_view why) {
    perform(state.on_replace_refused(now, child, why));
  }
  // What the gateway says of the process beside: "X_FLOW_MOVED" or "X_FLOW_REFUSED".
  void gateway_says(std::string key, std::size_t child, const std::string& replica,
                    const std::string& why = {}) {
    notify(FlowPlan::kGateway,
           {{std::move(key), replica + " " + std::to_string(beside[child]) + " " + why}});
  }
  void crash(std::size_t child) { exit(child, {ProcessExit::How::Killed, SIGKILL}); }
  void signal(int number) { perform(state.on_stop_signal(now, number)); }

  // Lets the time pass until the next deadline; false if there is none.
  bool advance() {
    const auto deadline = state.deadline();
    if (!deadline) return false;
    if (*deadline > now.steady) now = now + (*deadline - now.steady);
    perform(state.on_tick(now));
    return true;
  }
  void pass(std::chrono::nanoseconds time) {
    now = now + time;
    perform(state.on_tick(now));
  }

  // All children ready, and the gateway content.
  void make_ready() {
    start();
    for (std::size_t child = 0; child < pids.size(); ++child) notify(child, {{"READY", "1"}});
    notify(FlowPlan::kGateway, {{"X_FLOW_READY", "1"}});
    signals.clear();
  }

  core::FlowConfig config;
  FlowPlan plan;
  FlowState state;
  Moment now = test_moment();

  std::vector<pid_t> pids;    // by child; 0: none
  std::vector<pid_t> beside;  // by child: the process beside it; 0: none
  std::vector<int> spawns;    // by child: how often
  std::set<std::size_t> cannot_spawn;
  std::vector<std::pair<std::size_t, int>> signals;
  std::vector<std::pair<std::size_t, int>> signals_beside;
  std::vector<action::Replaced> replaced;
  std::vector<std::size_t> published;
  std::vector<std::string> errors;
  std::vector<std::string> logs;
  std::vector<core::NotifyMessage> told;
  int announced = 0;
  std::optional<int> quit;

 private:
  void perform(Actions actions) {
    for (Action& each : actions) pending_.push_back(std::move(each));
    while (!pending_.empty()) {
      const Action next = std::move(pending_.front());
      pending_.pop_front();
      std::visit([this](const auto& each) { perform(each); }, next);
    }
  }
  void perform(const action::Spawn& spawn) {
    ++spawns[spawn.child];
    Actions answer;
    if (cannot_spawn.contains(spawn.child)) {
      answer =
          state.on_spawn_failed(now, spawn.child, "/bin/it: No such file or directory", spawn.seat);
    } else {
      (spawn.seat == Seat::Serving ? pids : beside)[spawn.child] = ++last_pid_;
      answer = state.on_spawned(now, spawn.child, last_pid_, spawn.seat);
    }
    for (Action& each : answer) pending_.push_back(std::move(each));
  }
  void perform(const action::Signal& signal) {
    (signal.seat == Seat::Serving ? signals : signals_beside)
        .emplace_back(signal.child, signal.number);
  }
  void perform(const action::Promote& promote) {
    std::swap(pids[promote.child], beside[promote.child]);
  }
  void perform(const action::Replaced& ended) { replaced.push_back(ended); }
  void perform(const action::Publish& publish) { published.push_back(publish.replica); }
  void perform(const action::AnnounceReady&) { ++announced; }
  void perform(const action::ReportError& error) { errors.push_back(error.text); }
  void perform(const action::Log& log) { logs.push_back(log.text); }
  void perform(const action::TellParent& tell) { told.push_back(tell.message); }
  void perform(const action::Quit& action) { quit = action.status; }

  std::deque<Action> pending_;
  pid_t last_pid_ = 100;
};

}  // namespace flow::host
