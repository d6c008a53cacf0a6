// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.hpp"
#include "core/notify.hpp"
#include "flow/v1/control.pb.h"
#include "fmt/format.h"
#include "host/supervisor/flow_plan.hpp"
#include "host/supervisor/flow_state.hpp"
#include "tests/unit/gateway/simulation/simulated_network.hpp"

namespace flow::gateway {

inline constexpr std::string_view kOnce = "/once";    // an endpoint that must not run twice
inline constexpr std::string_view kAgain = "/again";  // one that may

// What an executor's process makes of requests.
enum class Mood { Well, Slow, Failing, Flaky, Refusing, Silent, Fragile };
std::string_view name(Mood mood);

// An executor's process. The endpoint of its sockets is its peer.
struct Process {
  std::size_t child = 0;
  std::shared_ptr<Peer> peer = std::make_shared<Peer>();
  Mood mood = Mood::Well;
  bool serving = true;   // by its health service
  bool leaving = false;  // got SIGTERM
  std::size_t in_hand = 0;
  std::optional<Clock::time_point> no_calls_after;  // the gateway said that it gets none any more

  pid_t pid() const { return peer->pid; }
};
using ProcessPtr = std::shared_ptr<Process>;

// Everything of a Flow but its gateway: the real FlowState, processes that it starts, signals and
// hears of as a real one does, and what befalls them. Late, but in order, as the kernel has it:
// what processes tell the supervisor, what the supervisor tells the gateway.
class SimulatedFlow {
 public:
  enum class Tell { Nothing, Everything };
  enum class Load { Any, ManyRetries };

  SimulatedFlow(std::uint64_t seed, Load load, Tell tell);
  SimulatedFlow(const SimulatedFlow&) = delete;
  SimulatedFlow& operator=(const SimulatedFlow&) = delete;
  virtual ~SimulatedFlow() = default;

  // Everything that happened, a line each, if it is told.
  const std::string& story() const { return story_; }

 protected:
  // ---- the gateway's part
  virtual void start_gateway() = 0;
  virtual void stop_gateway() = 0;
  virtual void hear(const flow::v1::ReplicaUpdate& update) = 0;
  // A data request has arrived at a process, was taken up by it, is answered by it.
  virtual void on_arrival(const Process& process, const std::string& id,
                          Clock::time_point sent_at) = 0;
  virtual void on_taken_up(const Process& process, const std::string& id) = 0;
  virtual void on_answer_of(const Process& process, const std::string& id) = 0;

  // ---- the supervisor
  static host::Moment moment() { return {Clock::now(), Clock::wall()}; }
  void perform(host::Actions actions);
  void notify(pid_t sender, core::NotifyMessage message);
  void gateway_ended();
  pid_t gateway_pid() const { return gateway_pid_; }
  std::string replica_name(std::size_t replica) const;
  std::size_t executor_of(const Process& process) const {
    return plan_.replicas[replica_of_.at(process.pid())].executor;
  }
  // Those whose restarts are spent are started again, because somebody asks for it.
  void ask_for_the_failed();
  // Every replica is ready, none is being replaced, and everybody has heard of it.
  bool is_settled() const;

  // ---- what befalls the processes
  void begin_faults();
  void end_faults();  // from now on all is well
  template <typename Visitor>
  void for_each_process(Visitor&& visit) const {
    for (const auto* processes : {&serving_, &beside_}) {
      for (const ProcessPtr& process : *processes) {
        if (process) visit(*process);
      }
    }
  }
  // The process with this id and the one in its child's other seat; each may be null.
  std::pair<ProcessPtr, ProcessPtr> process_and_other(pid_t pid) const;
  void resume(const ProcessPtr& process);
  ProcessPtr serving(std::size_t child) const { return serving_[child]; }
  void set_all(Mood mood);

  template <typename... Args>
  void tell(fmt::format_string<Args...> format, Args&&... args) {
    if (!tell_) return;
    story_ +=
        fmt::format("{:12.6f}  {}\n", std::chrono::duration<double>(VirtualTime::passed()).count(),
                    fmt::format(format, std::forward<Args>(args)...));
  }

  Chance chance_;
  Schedule schedule_;
  SimulatedNetwork network_;
  core::FlowConfig config_;
  host::FlowPlan plan_;
  std::optional<host::FlowState> flow_;
  std::map<pid_t, std::size_t> replica_of_;  // of every process that was ever started
  bool announced_ = false;                   // the Flow was ready for the first time
  bool quit_ = false;
  bool faults_ = false;

 private:
  using Processes = std::vector<ProcessPtr>;  // by child

  void make_config(Load load);

  void perform(const host::action::Spawn& spawn);
  void perform(const host::action::Signal& signal);
  void perform(const host::action::Promote& promote);
  void perform(const host::action::Replaced&) {}
  void perform(const host::action::Publish& publish);
  void perform(const host::action::AnnounceReady&) { announced_ = true; }
  void perform(const host::action::ReportError& error) { tell("supervisor: {}", error.text); }
  void perform(const host::action::Log& log) { tell("supervisor: {}", log.text); }
  void perform(const host::action::TellParent&) {}
  void perform(const host::action::Quit&) { quit_ = true; }

  Processes& processes(host::Seat seat) { return seat == host::Seat::Serving ? serving_ : beside_; }
  void start_process(std::size_t child, host::Seat seat);
  void die(const ProcessPtr& process, int signal);
  void leave(const ProcessPtr& process);
  void leave_if_done(const ProcessPtr& process);
  void on_call(const ProcessPtr& process, Wire& wire, GrpcPeer::Stream stream,
               std::string_view path, const std::string& framed, Clock::time_point sent_at);
  static void say_health(const Process& process, Wire& wire);
  static void say_health(const Process& process);
  void on_data(const ProcessPtr& process, Wire& wire, GrpcPeer::Stream stream,
               const std::string& framed, Clock::time_point sent_at);
  void answer(const ProcessPtr& process, const std::weak_ptr<Wire>& weak, GrpcPeer::Stream stream,
              const std::string& framed, const std::string& id, Mood mood);

  void go_on_with_faults(Clock::duration every);
  ProcessPtr any_process();
  Mood any_mood();
  void befall(const ProcessPtr& process);

  const bool tell_;
  std::string story_;
  std::deque<host::Action> actions_;
  bool performing_ = false;
  Processes serving_;
  Processes beside_;
  pid_t last_pid_ = 1000;
  pid_t gateway_pid_ = 0;
  Clock::time_point word_at_;    // when the last word to the gateway arrives
  Clock::time_point notify_at_;  // and the last one to the supervisor
};

}  // namespace flow::gateway
