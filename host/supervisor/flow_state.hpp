// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/config.hpp"
#include "core/notify.hpp"
#include "core/replica.hpp"
#include "host/crash/crash_report.hpp"
#include "host/supervisor/flow_plan.hpp"
#include "host/supervisor/moment.hpp"
#include "host/supervisor/process_exit.hpp"
#include "host/supervisor/restart_policy.hpp"
#include "host/supervisor/swap.hpp"

namespace flow::host {

// How a process of a replica ended.
struct EndedProcess {
  pid_t pid = 0;                      // 0: none has
  std::string cause{};                // "process 4711 was killed by signal 9 (SIGKILL) at ..."
  std::vector<std::string> stacks{};  // of its crash or hang
  bool operator==(const EndedProcess&) const = default;
};

// What the supervisor knows of one replica; docs/states.md has the transitions.
struct ReplicaStatus {
  core::ReplicaState state = core::ReplicaState::Starting;
  std::string reason;  // a sentence without a full stop
  std::chrono::system_clock::time_point since;
  pid_t pid = 0;  // 0: no process exists
  // What is known of its last crash or hang, a line each; empty if it died without a word.
  std::vector<std::string> stacks{};
  // A process beside it that serves and is to take over; 0: none.
  pid_t successor = 0;
  // What is to be known of one that serves: how replacing it goes, or went wrong. Empty: nothing.
  std::string note = {};
  // The last process that ended, whatever has taken its place: requests may have been lost with it.
  EndedProcess ended = {};
  bool operator==(const ReplicaStatus&) const = default;
};

// What the shell is to do. It performs actions in order, before it delivers another event.
namespace action {
struct Spawn {  // answered by on_spawned or on_spawn_failed, with the same seat
  std::size_t child;
  Seat seat = Seat::Serving;
};
struct Signal {
  std::size_t child;
  int number;
  Seat seat = Seat::Serving;
};
struct Promote {  // the process beside is the one that serves from now on, and the other way round
  std::size_t child;
};
struct Replaced {  // how a replacement that was asked for ended
  std::size_t child;
  bool done;
  std::string text;
};
struct Publish {  // tell the gateway about a replica
  std::size_t replica;
};
struct AnnounceReady {};  // once in a Flow's life: show the panel
struct ReportError {      // for the person who started the Flow
  std::string text;
};
struct Log {
  enum class Level { Info, Warning, Error };
  Level level;
  std::string text;
};
struct TellParent {  // by the notify protocol
  core::NotifyMessage message;
};
struct Quit {  // nothing is left to do
  int status;
};
}  // namespace action

using Action = std::variant<action::Spawn, action::Signal, action::Promote, action::Replaced,
                            action::Publish, action::AnnounceReady, action::ReportError,
                            action::Log, action::TellParent, action::Quit>;
using Actions = std::vector<Action>;

// Everything the supervisor decides: starts all children, fails as one if any of them fails before
// the Flow was ready, restarts them by policy afterwards, replaces their processes one after the
// other, stops them in order. Guarantees that a child has one process that serves and one beside it
// at the most, that each end of a process is answered by exactly one decision, and that nothing is
// started once the stop has begun. Knows no process, socket or clock.
// Confined to its loop.
class FlowState {
 public:
  // The two must outlive this. `seed` is for the jitter of restarts.
  FlowState(const core::FlowConfig& config, const FlowPlan& plan, std::uint64_t seed);

  // Events.
  Actions start(Moment now);
  Actions on_spawned(Moment now, std::size_t child, pid_t pid, Seat seat = Seat::Serving);
  Actions on_spawn_failed(Moment now, std::size_t child, std::string_view why,
                          Seat seat = Seat::Serving);
  Actions on_notified(Moment now, pid_t sender, const core::NotifyMessage& message);
  // `crash`: what the process wrote down when it died, if it did.
  Actions on_exited(Moment now, std::size_t child, const ProcessExit& exit,
                    Seat seat = Seat::Serving, const CrashEvidence& crash = {});
  // A new process is wanted in place of the child's, because `why`: "libecho.so was replaced". It
  // is started when it is its turn: one child is replaced at a time. Not for the gateway. One that
  // has no process is started at once, even if its restarts are spent.
  Actions on_replace(Moment now, std::size_t child, std::string why);
  // What would be started in its place cannot even be tried.
  Actions on_replace_refused(Moment now, std::size_t child, std::string_view why);
  // [supervise] of the configuration has changed.
  void on_reconfigured();
  // SIGINT or SIGTERM; the first one drains, the second one kills.
  Actions on_stop_signal(Moment now, int number);
  Actions on_tick(Moment now);

  // When on_tick is due next.
  std::optional<std::chrono::steady_clock::time_point> deadline() const;

  const std::vector<ReplicaStatus>& replicas() const { return replicas_; }

  // For the line of progress: who is not ready yet, and out of how many.
  struct Progress {
    std::vector<std::string> waiting_for;
    std::size_t total = 0;
  };
  Progress progress() const;

 private:
  using Time = std::chrono::steady_clock::time_point;

  enum class Phase { Starting, Running, Stopping, Ended };
  enum class Life {
    Starting,  // its process exists or is just being spawned
    Ready,
    Backoff,  // no process; one is due at `due`
    Over,     // no process, and none will come
  };

  struct Child {
    explicit Child(const core::SuperviseConfig& config) : policy(config) {}

    Life life = Life::Starting;
    pid_t pid = 0;
    Time due{};                 // Starting: when it must be ready; Backoff: when it is spawned
    Time ready_since{};         // Ready
    bool overdue = false;       // Starting: killed because `due` passed
    bool stopping = false;      // it got SIGTERM from us, or says that it stops
    Time stop_due{};            // it says that it stops: when it must have
    bool stop_overdue = false;  // it had not, and got SIGKILL
    std::optional<Swap> swap;
    bool replacing = false;     // it is started because somebody wants it replaced
    bool explained = false;     // its stacks are about this process
    std::uint32_t attempt = 0;  // which restart this is; 0: the first start
    std::string ended;          // of a restart: how the process before it did
    // What the process said last about itself, and about which of its executors.
    std::string phase;
    std::string failure;
    std::optional<std::size_t> speaker;  // a place in FlowPlan::replicas
    std::string hang;                    // why its process is of no use; empty: it is of use
    std::optional<Time> hang_due;        // when it is killed for that
    RestartPolicy policy;
  };

  enum class StopOrder { Waves, AtOnce };

  struct Wanted {
    std::size_t child;
    std::string why;
  };

  bool alive(const Child& child) const { return child.pid != 0; }
  bool must_become_ready(const Child& child) const {
    return child.life == Life::Starting && alive(child) && !child.overdue && child.hang.empty();
  }
  bool has_process(const Child& child) const {
    return alive(child) || (child.swap && child.swap->pid != 0);
  }
  bool stops_by_itself(const Child& child) const {
    return alive(child) && child.stopping && !child.stop_overdue;
  }
  bool is_gateway(const Child& child) const { return &child == &children_[FlowPlan::kGateway]; }
  std::size_t place(const Child& child) const {
    return static_cast<std::size_t>(&child - children_.data());
  }
  const std::string& name(const Child& child) const { return plan_.children[place(child)].name; }
  const std::vector<std::size_t>& replicas_of(const Child& child) const {
    return plan_.children[place(child)].replicas;
  }

  void spawn(Moment now, Child& child);
  void on_said_ready(Moment now, Child& child);
  void on_hang(Moment now, Child& child, const std::vector<std::size_t>& about,
               const core::NotifyMessage& message);
  void on_verdict(Moment now, bool ready, std::string_view reason);
  void on_ready_overdue(Moment now, Child& child);
  // `cause`: "process 7 was killed by signal 9 (SIGKILL) at ..."; the one decision per end.
  void decide(Moment now, Child& child, ExitKind kind, std::chrono::nanoseconds healthy_for,
              const std::string& cause);
  void fail_start(Moment now, const std::string& text);
  void fail_start_of(Moment now, const Child& child, std::string_view what);

  // Replacing: flow_swap.cpp.
  void begin_swaps(Moment now);
  bool begin_swap(Moment now, Child& child, const std::string& why);
  void on_successor_spawned(Moment now, Child& child, pid_t pid);
  void on_successor_spawn_failed(Moment now, Child& child, std::string_view why);
  void on_successor_notified(Moment now, Child& child, const core::NotifyMessage& message);
  void on_gateway_word(Moment now, const core::NotifyMessage& message);
  void on_beside_exited(Moment now, Child& child, const ProcessExit& exit,
                        const CrashEvidence& crash);
  bool adopt_successor(Moment now, Child& child, const std::string& cause);
  void complete_swap(Moment now, Child& child);
  void fail_swap(Moment now, Child& child, const std::string& why);
  void on_swap_overdue(Moment now, Child& child);
  void tell_beside_to_stop(Moment now, Child& child, int number);
  void note(Moment now, const Child& child, const std::string& text, pid_t successor = 0);

  // Before the Flow was ever ready nothing was served: children have nothing to drain, only to let
  // go.
  static constexpr std::chrono::seconds kAbandonGrace{2};
  std::chrono::nanoseconds drain_grace(const Child& child) const;
  void begin_stop(Moment now, int status, StopOrder order);
  void continue_stop(Moment now);
  void on_stop_overdue(Moment now);
  std::size_t wave_of(const Child& child) const;
  void kill_all(Moment now, int status);

  void set_stacks(Child& child, const std::vector<std::string>& stacks);
  void set_ended(const Child& child, pid_t pid, const std::string& cause);
  void set_replica(Moment now, std::size_t replica, core::ReplicaState state, std::string reason,
                   pid_t pid);
  void set_replicas(Moment now, const Child& child, core::ReplicaState state,
                    const std::string& reason);
  // What a process that starts does, with why there has to be another one.
  std::string starting_reason(const Child& child, std::string_view what) const;
  // "executor 'x' (flow.toml:4:1)", "the gateway": the one that spoke last, if several share it.
  std::string who(const Child& child) const;

  template <typename A>
  void act(A action) {
    actions_.emplace_back(std::move(action));
  }
  Actions taken() { return std::exchange(actions_, {}); }

  const core::FlowConfig& config_;
  const FlowPlan& plan_;
  std::mt19937_64 random_;

  Phase phase_ = Phase::Starting;
  std::vector<Child> children_;
  std::vector<ReplicaStatus> replicas_;
  bool ready_ = false;            // the gateway's last verdict
  std::string not_ready_reason_;  // as the gateway said it
  // Starting, when all children are ready: when the gateway must have found the Flow ready.
  std::optional<Time> verdict_due_;

  std::deque<Wanted> wanted_;  // replacements that wait for their turn, one for each child

  // Stopping.
  StopOrder stop_order_ = StopOrder::Waves;
  int stop_status_ = 0;
  std::chrono::nanoseconds stop_grace_{0};  // of the wave that has been told
  std::optional<std::size_t> stop_wave_;    // the one that has been told
  Time stop_due_{};                         // when it must be gone
  bool killing_ = false;                    // it got SIGKILL already
  bool start_failed_ = false;

  Actions actions_;  // of the event that is being handled
};

}  // namespace flow::host
