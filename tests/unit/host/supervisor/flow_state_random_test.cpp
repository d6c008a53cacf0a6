// SPDX-License-Identifier: Apache-2.0
//
// Random histories of whole Flows: whatever happens in whatever order, the invariants hold.
#include <algorithm>
#include <csignal>
#include <map>

#include "core/limits.hpp"
#include "flow_driver.hpp"
#include "gtest/gtest.h"

namespace flow::host {
namespace {

using namespace std::chrono_literals;
using How = ProcessExit::How;

// A world in which processes live, speak, die and obey signals at random.
class RandomWorld {
 public:
  enum class Swaps { None, Some };

  RandomWorld(std::uint64_t seed, Swaps swaps) : random_(seed), swaps_(swaps) {
    config_ = make_config();
    plan_ = plan_flow(config_);
    state_.emplace(config_, plan_, seed);
    processes_.resize(plan_.children.size());
    beside_.resize(plan_.children.size());
  }

  void run() {
    perform(state_->start(now_));
    for (int i = 0; i < 2000 && !quit_ && !::testing::Test::HasFailure(); ++i) step();
    if (!quit_) bring_to_an_end();
    EXPECT_TRUE(quit_) << "a stopped Flow must end";
  }

 private:
  struct Process {
    pid_t pid = 0;
    bool killed = false;  // got SIGKILL: will die
    bool told = false;    // got SIGTERM
  };

  static constexpr std::chrono::milliseconds kStepMax{5000};

  std::uint64_t pick(std::uint64_t below) { return random_() % below; }

  core::FlowConfig make_config() {
    std::vector<core::ExecutorConfig> executors;
    const std::size_t count = 1 + pick(5);
    for (std::size_t i = 0; i < count; ++i) {
      std::vector<std::string> needs;
      for (std::size_t j = 0; j < i; ++j) {
        if (pick(3) == 0) needs.push_back(executors[j].name);
      }
      executors.push_back(test_executor("e" + std::to_string(i), needs, pick(4) == 0 ? "p" : "",
                                        static_cast<std::uint32_t>(1 + pick(3))));
    }
    core::FlowConfig config = test_config(std::move(executors));
    config.supervise.restart = static_cast<core::RestartPolicy>(pick(3));
    config.supervise.restarts = static_cast<std::uint32_t>(pick(4));
    config.supervise.restart_window = 10s;
    config.supervise.drain_timeout = 2s;
    return config;
  }

  void step() {
    const std::size_t child = pick(processes_.size());
    if (swaps_ == Swaps::Some && pick(2) == 0) return step_of_swap(child);
    Process& process = processes_[child];
    switch (pick(16)) {
      case 0:
      case 1:
        if (process.pid != 0) die(child, random_end());
        break;
      case 2:
        if (pick(40) == 0) {
          perform(state_->on_stop_signal(now_, pick(2) == 0 ? SIGINT : SIGTERM));
        }
        break;
      case 3:
        now_ = now_ + std::chrono::milliseconds(pick(1 + kStepMax.count()));
        perform(state_->on_tick(now_));
        break;
      case 4:
      case 5:
        if (const auto deadline = state_->deadline()) {
          if (*deadline > now_.steady) now_ = now_ + (*deadline - now_.steady);
          perform(state_->on_tick(now_));
        }
        break;
      case 6:
        perform(state_->on_notified(now_, static_cast<pid_t>(pick(200)), random_message(child)));
        break;
      case 7:
        cannot_spawn_ = pick(20) == 0;
        break;
      default:
        if (process.pid != 0) {
          perform(state_->on_notified(now_, process.pid, random_message(child)));
        }
    }
  }

  void step_of_swap(std::size_t child) {
    const Process& process = beside_[child];
    switch (pick(8)) {
      case 0:
        perform(state_->on_replace(now_, child, "because"));
        break;
      case 1:
        perform(state_->on_replace_refused(now_, child, "because"));
        break;
      case 2:
        if (process.pid != 0) die_beside(child, random_end());
        break;
      case 3:
      case 4:
        if (process.pid != 0) {
          perform(state_->on_notified(now_, process.pid, random_message(child)));
        }
        break;
      default:
        if (process.pid != 0) {
          const std::string key = pick(4) == 0 ? "X_FLOW_REFUSED" : "X_FLOW_MOVED";
          for (const std::size_t place : plan_.children[child].replicas) {
            const ReplicaPlan& replica = plan_.replicas[place];
            perform(state_->on_notified(
                now_, processes_[FlowPlan::kGateway].pid,
                {{key, config_.executors[replica.executor].name + "/rep-" +
                           std::to_string(replica.replica) + " " + std::to_string(process.pid)}}));
          }
        }
    }
  }

  void die_beside(std::size_t child, ProcessExit how) {
    beside_[child] = {};
    perform(state_->on_exited(now_, child, how, Seat::Beside));
    EXPECT_EQ(state_->replicas()[plan_.children[child].replicas.front()].successor, 0);
  }

  ProcessExit random_end() {
    switch (pick(3)) {
      case 0:
        return {How::Exited, 0};
      case 1:
        return {How::Exited, 1};
      default:
        return {How::Killed, pick(2) == 0 ? SIGKILL : SIGSEGV};
    }
  }

  core::NotifyMessage random_message(std::size_t child) {
    switch (pick(14)) {
      case 12:
        return {{"X_FLOW_HUNG", "stuck"}, {"X_FLOW_STACK", "#0\t#1"}};
      case 13:
        return {{"X_FLOW_HUNG", "stuck"}, {"X_FLOW_EXECUTOR", "e" + std::to_string(pick(5))}};
      case 0:
        return {{"STATUS", "plugin \"plug\" is in create()"}};
      case 1:
        return {{"X_FLOW_FAILURE", "because"}};
      case 2:
        return {{"STOPPING", "1"}};
      case 3:
        return {{"READY", "1"}, {"X_FLOW_EXECUTOR", "e" + std::to_string(pick(5))}};
      case 4:
        return {{"X_FLOW_READY", "0"}, {"STATUS", "not yet"}};
      default:
        return child == FlowPlan::kGateway && pick(2) == 0
                   ? core::NotifyMessage{{"X_FLOW_READY", "1"}}
                   : core::NotifyMessage{{"READY", "1"}};
    }
  }

  // Each end of a process must be answered once: by a restart, by giving up, or by the stop.
  void die(std::size_t child, ProcessExit how) {
    processes_[child] = {};
    perform(state_->on_exited(now_, child, how));
    for (const std::size_t place : plan_.children[child].replicas) {
      const core::ReplicaState state = state_->replicas()[place].state;
      EXPECT_EQ(state_->replicas()[place].pid, processes_[child].pid);
      if (!stopping_ && processes_[child].pid == 0) {
        EXPECT_TRUE(state == core::ReplicaState::Backoff || state == core::ReplicaState::Failed)
            << core::name(state);
      }
    }
  }

  void bring_to_an_end() {
    const auto began = now_.steady;
    perform(state_->on_stop_signal(now_, SIGTERM));
    for (int i = 0; i < 1000 && !quit_; ++i) {
      // Only those that were told end; the rest must be dealt with by deadlines.
      for (std::size_t child = 0; child < processes_.size() && !quit_; ++child) {
        const Process process = processes_[child];
        if (process.pid != 0 && (process.killed || (process.told && pick(3) == 0))) {
          die(child, {How::Exited, 0});
        }
        const Process beside = beside_[child];
        if (!quit_ && beside.pid != 0 && (beside.killed || (beside.told && pick(3) == 0))) {
          die_beside(child, {How::Exited, 0});
        }
      }
      const auto deadline = state_->deadline();
      if (quit_ || !deadline) continue;
      if (*deadline > now_.steady) now_ = now_ + (*deadline - now_.steady);
      perform(state_->on_tick(now_));
    }
    // Each wave has its grace, which a second more makes certain, and then SIGKILL's.
    const auto waves = 1 + std::ranges::max(plan_.children, {}, &ChildPlan::stop_wave).stop_wave;
    EXPECT_LE(now_.steady - began,
              waves * (config_.supervise.drain_timeout + 1s + core::limits::kKillWait))
        << "the drain must end in time";
  }

  void perform(Actions actions) {
    for (Action& each : actions) pending_.push_back(std::move(each));
    while (!pending_.empty()) {
      const Action next = std::move(pending_.front());
      pending_.pop_front();
      std::visit([this](const auto& each) { perform(each); }, next);
    }
  }
  void perform(const action::Spawn& spawn) {
    auto& processes = spawn.seat == Seat::Serving ? processes_ : beside_;
    EXPECT_EQ(processes[spawn.child].pid, 0) << "two processes for one seat";
    EXPECT_FALSE(quit_);
    EXPECT_FALSE(stopping_) << "started after the stop";
    if (swaps_ == Swaps::None) check_budget(spawn.child);  // a swap begins a new one
    Actions answer;
    if (cannot_spawn_) {
      answer = state_->on_spawn_failed(now_, spawn.child, "no memory", spawn.seat);
    } else {
      processes[spawn.child] = {++last_pid_, false, false};
      answer = state_->on_spawned(now_, spawn.child, last_pid_, spawn.seat);
    }
    for (Action& each : answer) pending_.push_back(std::move(each));
  }
  // `starts`: of one child, the first of them no restart.
  void check_budget(std::size_t child) {
    auto& starts = starts_[child];
    starts.push_back(now_.steady);
    const std::size_t budget = config_.supervise.restarts;
    EXPECT_TRUE(budget > 0 || starts.size() == 1);
    if (starts.size() < budget + 2) return;
    // One more than a window may hold; a step of this test may make a start late by kStepMax.
    const auto earliest = starts[starts.size() - 1 - budget];
    if (starts.size() - 1 - budget > 0) {
      EXPECT_GE(now_.steady - earliest, config_.supervise.restart_window - kStepMax);
    }
  }
  void perform(const action::Signal& signal) {
    Process& process = (signal.seat == Seat::Serving ? processes_ : beside_)[signal.child];
    (signal.number == SIGKILL ? process.killed : process.told) = true;
  }
  void perform(const action::Promote& promote) {
    std::swap(processes_[promote.child], beside_[promote.child]);
    EXPECT_NE(processes_[promote.child].pid, 0) << "nobody would serve";
  }
  void perform(const action::Replaced&) {}
  void perform(const action::Publish& publish) {
    EXPECT_LT(publish.replica, plan_.replicas.size());
  }
  void perform(const action::AnnounceReady&) {
    EXPECT_EQ(++announced_, 1);
    EXPECT_FALSE(stopping_);
  }
  void perform(const action::ReportError&) {}
  void perform(const action::Log&) {}
  void perform(const action::TellParent& tell) {
    if (!tell.message.contains("STOPPING")) return;
    EXPECT_FALSE(stopping_) << "stopped twice";
    stopping_ = true;
  }
  void perform(const action::Quit& action) {
    EXPECT_TRUE(stopping_);
    EXPECT_FALSE(quit_) << "quit twice";
    quit_ = action.status;
  }

  std::mt19937_64 random_;
  const Swaps swaps_;
  core::FlowConfig config_;
  FlowPlan plan_;
  std::optional<FlowState> state_;
  Moment now_ = test_moment();
  std::vector<Process> processes_;  // that serve
  std::vector<Process> beside_;
  std::map<std::size_t, std::vector<std::chrono::steady_clock::time_point>> starts_;
  std::deque<Action> pending_;
  pid_t last_pid_ = 1000;
  bool cannot_spawn_ = false;
  bool stopping_ = false;
  int announced_ = 0;
  std::optional<int> quit_;
};

TEST(FlowStateRandom, InvariantsHoldInRandomHistories) {
  for (std::uint64_t seed = 0; seed < 10000; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    RandomWorld(seed, RandomWorld::Swaps::None).run();
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(FlowStateRandom, InvariantsHoldWhileProcessesAreReplaced) {
  for (std::uint64_t seed = 0; seed < 10000; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    RandomWorld(seed, RandomWorld::Swaps::Some).run();
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace flow::host
