// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/gateway/simulation/simulated_flow.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <utility>

#include "gtest/gtest.h"
#include "host/supervisor/control_channel.hpp"
#include "wire/data_request.hpp"
#include "wire/grpc.hpp"

namespace flow::gateway {

using namespace std::chrono_literals;
using host::FlowPlan;
using host::Seat;

namespace {

constexpr std::array<std::string_view, 7> kMoods = {"well",     "slow",   "failing", "flaky",
                                                    "refusing", "silent", "fragile"};
// gRPC's codes.
constexpr int kUnknown = 2;
constexpr int kResourceExhausted = 8;
constexpr int kUnimplemented = 12;
constexpr int kInternal = 13;
constexpr int kUnavailable = 14;
constexpr std::array<int, 4> kFailures = {kUnavailable, kInternal, kUnknown, kResourceExhausted};

}  // namespace

std::string_view name(Mood mood) { return kMoods[static_cast<std::size_t>(mood)]; }

SimulatedFlow::SimulatedFlow(std::uint64_t seed, Load load, Tell tell)
    : chance_(seed), network_(schedule_, chance_), tell_(tell == Tell::Everything) {
  VirtualTime::begin();
  make_config(load);
  plan_ = host::plan_flow(config_);
  for (std::size_t i = 0; i < plan_.replicas.size(); ++i) {
    plan_.replicas[i].unix_path = fmt::format("/flow/{}.sock", i);
    plan_.replicas[i].tcp_address = fmt::format("127.0.0.1:{}", 10000 + i);
  }
  for (Processes* processes : {&serving_, &beside_}) processes->resize(plan_.children.size());
  flow_.emplace(config_, plan_, seed);
}

void SimulatedFlow::make_config(Load load) {
  config_.file = "flow.toml";
  config_.name = "test";
  const std::size_t executors = load == Load::Any ? 1 + chance_.below(3) : 1;
  for (std::size_t i = 0; i < executors; ++i) {
    core::ExecutorConfig executor;
    executor.name = fmt::format("e{}", i);
    executor.uses = "plug";
    executor.replicas = static_cast<std::uint32_t>(1 + chance_.below(3));
    if (i > 0) executor.needs = {config_.executors.back().name};
    executor.idempotent.push_back({std::string(kAgain), {}});
    executor.max_in_flight = static_cast<std::uint32_t>(1 + chance_.below(8));
    executor.timeout_ready = 5s;
    config_.executors.push_back(std::move(executor));
  }
  config_.gateway.max_in_flight = static_cast<std::uint32_t>(2 + chance_.below(60));
  config_.gateway.timeout_send = chance_.between(300ms, 2s);
  config_.gateway.retries = static_cast<std::int32_t>(chance_.below(5)) - 1;
  config_.health.heartbeat_interval = chance_.between(200ms, 1s);
  config_.health.heartbeat_timeout = chance_.between(150ms, 500ms);
  config_.supervise.restart = core::RestartPolicy::Always;
  config_.supervise.restarts = static_cast<std::uint32_t>(1 + chance_.below(8));
  config_.supervise.backoff_last = 2s;
  config_.supervise.drain_timeout = 60s;  // longer than any request
  if (load == Load::ManyRetries) {
    config_.executors[0].replicas = 3;
    config_.executors[0].max_in_flight = 1000;
    config_.gateway.max_in_flight = 1000;
    config_.gateway.retries = -1;
  }
}

// ---- the supervisor -----------------------------------------------------------------------------

void SimulatedFlow::perform(host::Actions actions) {
  for (host::Action& each : actions) actions_.push_back(std::move(each));
  if (std::exchange(performing_, true)) return;
  while (!actions_.empty()) {
    const host::Action next = std::move(actions_.front());
    actions_.pop_front();
    std::visit([this](const auto& each) { perform(each); }, next);
  }
  performing_ = false;
}

void SimulatedFlow::perform(const host::action::Spawn& spawn) {
  const pid_t pid = ++last_pid_;
  if (spawn.child == FlowPlan::kGateway) {
    gateway_pid_ = pid;
    start_gateway();
  } else {
    start_process(spawn.child, spawn.seat);
  }
  perform(flow_->on_spawned(moment(), spawn.child, pid, spawn.seat));
}

void SimulatedFlow::perform(const host::action::Signal& signal) {
  if (signal.child == FlowPlan::kGateway) return stop_gateway();
  const ProcessPtr process = processes(signal.seat)[signal.child];
  if (!process) return;
  schedule_.in(chance_.between(0ms, 5ms), [this, process, number = signal.number] {
    number == SIGKILL ? die(process, SIGKILL) : leave(process);
  });
}

void SimulatedFlow::perform(const host::action::Promote& promote) {
  std::swap(serving_[promote.child], beside_[promote.child]);
  for (const std::size_t replica : plan_.children[promote.child].replicas) {
    std::swap(plan_.replicas[replica].unix_path, plan_.replicas[replica].beside_path);
  }
}

void SimulatedFlow::perform(const host::action::Publish& publish) {
  const auto update = host::replica_update(config_, plan_.replicas[publish.replica],
                                           flow_->replicas()[publish.replica]);
  const Clock::duration late =
      chance_.percent(5) ? chance_.between(1ms, 2s) : chance_.between(0ms, 3ms);
  word_at_ = std::max(word_at_, Clock::now() + late);
  schedule_.at(word_at_, [this, update] {
    tell("gateway hears: {}/rep-{} is {}, process {}, beside it {}: {}", update.executor(),
         update.replica(), flow::v1::ReplicaState_Name(update.state()), update.pid(),
         update.successor().pid(), update.reason());
    hear(update);
  });
}

void SimulatedFlow::notify(pid_t sender, core::NotifyMessage message) {
  notify_at_ = std::max(notify_at_, Clock::now() + chance_.between(0ms, 3ms));
  schedule_.at(notify_at_, [this, sender, message = std::move(message)] {
    perform(flow_->on_notified(moment(), sender, message));
  });
}

void SimulatedFlow::gateway_ended() { perform(flow_->on_exited(moment(), FlowPlan::kGateway, {})); }

std::string SimulatedFlow::replica_name(std::size_t replica) const {
  const host::ReplicaPlan& plan = plan_.replicas[replica];
  return fmt::format("{}/rep-{}", config_.executors[plan.executor].name, plan.replica);
}

void SimulatedFlow::ask_for_the_failed() {
  for (std::size_t child = FlowPlan::kGateway + 1; child < plan_.children.size(); ++child) {
    const std::size_t replica = plan_.children[child].replicas.front();
    if (flow_->replicas()[replica].state != core::ReplicaState::Failed) continue;
    perform(flow_->on_replace(moment(), child, "somebody asks for it"));
  }
}

bool SimulatedFlow::is_settled() const {
  const bool ready = std::ranges::all_of(flow_->replicas(), [](const host::ReplicaStatus& replica) {
    return replica.state == core::ReplicaState::Ready;
  });
  const bool alone = std::ranges::all_of(beside_, [](const ProcessPtr& one) { return !one; });
  return ready && alone && std::max(word_at_, notify_at_) < Clock::now();
}

std::pair<ProcessPtr, ProcessPtr> SimulatedFlow::process_and_other(pid_t pid) const {
  for (std::size_t child = 0; child < serving_.size(); ++child) {
    const ProcessPtr& serves = serving_[child];
    const ProcessPtr& beside = beside_[child];
    if (serves && serves->pid() == pid) return {serves, beside};
    if (beside && beside->pid() == pid) return {beside, serves};
  }
  return {};
}

// ---- processes ----------------------------------------------------------------------------------

void SimulatedFlow::start_process(std::size_t child, Seat seat) {
  const auto process = std::make_shared<Process>();
  const pid_t pid = last_pid_;
  host::ReplicaPlan& replica = plan_.replicas[plan_.children[child].replicas.front()];
  process->child = child;
  process->peer->pid = pid;
  process->peer->on_request = [this, weak = std::weak_ptr(process)](
                                  Wire& wire, GrpcPeer::Stream stream, std::string_view path,
                                  const std::string& framed, Clock::time_point sent_at) {
    if (const ProcessPtr self = weak.lock()) on_call(self, wire, stream, path, framed, sent_at);
  };
  processes(seat)[child] = process;
  replica_of_[pid] = plan_.children[child].replicas.front();
  if (seat == Seat::Beside) replica.beside_path = fmt::format("/flow/{}.sock", pid);
  if (faults_ && chance_.percent(20)) process->mood = any_mood();
  const bool fails = faults_ && chance_.percent(10);
  const std::string& path = seat == Seat::Serving ? replica.unix_path : replica.beside_path;
  schedule_.in(chance_.between(1ms, 500ms), [this, process, path, fails] {
    if (!process->peer->alive) return;
    if (fails) return die(process, 0);
    network_.listen(path, process->peer);
    tell("process {} listens at {}, {}", process->pid(), path, name(process->mood));
    notify(process->pid(), {{"READY", "1"}});
  });
}

// By a signal, or by itself: badly, unless it was told to leave.
void SimulatedFlow::die(const ProcessPtr& process, int signal) {
  if (!process->peer->alive) return;
  tell("process {} ends ({})", process->pid(), signal);
  network_.kill(*process->peer);
  const host::ProcessExit exit =
      signal == 0 ? host::ProcessExit{host::ProcessExit::How::Exited, process->leaving ? 0 : 1}
                  : host::ProcessExit{host::ProcessExit::How::Killed, signal};
  schedule_.in(chance_.between(0ms, 30ms), [this, process, exit] {
    const Seat seat = serving_[process->child] == process ? Seat::Serving : Seat::Beside;
    processes(seat)[process->child] = nullptr;
    perform(flow_->on_exited(moment(), process->child, exit, seat));
  });
}

void SimulatedFlow::leave(const ProcessPtr& process) {
  if (!process->peer->alive || std::exchange(process->leaving, true)) return;
  tell("process {} leaves with {} in hand", process->pid(), process->in_hand);
  notify(process->pid(), {{"STOPPING", "1"}});
  for (const auto& wire : process->peer->wires) {
    if (wire->grpc() != nullptr) wire->grpc()->say_goodbye();
    wire->flush_process();
  }
  leave_if_done(process);
}

void SimulatedFlow::leave_if_done(const ProcessPtr& process) {
  if (!process->leaving || process->in_hand > 0 || process->peer->stopped) return;
  // Its clients get time to read what it said.
  schedule_.in(200ms, [this, process] {
    if (process->in_hand == 0) die(process, 0);
  });
}

void SimulatedFlow::on_call(const ProcessPtr& process, Wire& wire, GrpcPeer::Stream stream,
                            std::string_view path, const std::string& framed,
                            Clock::time_point sent_at) {
  if (path.ends_with("/Watch")) {
    wire.watch = stream;
    say_health(*process, wire);
  } else if (path.ends_with("/endpoint_discovery")) {
    wire.grpc()->finish(stream, kUnimplemented);  // then it serves everything
  } else {
    on_data(process, wire, stream, framed, sent_at);
  }
}

void SimulatedFlow::say_health(const Process& process, Wire& wire) {
  if (!wire.watch || wire.grpc() == nullptr || process.peer->stopped) return;
  wire.says_serving = process.serving;
  wire.grpc()->reply(*wire.watch,
                     wire::frame(std::string{'\x08', process.serving ? '\x01' : '\x02'}));
  wire.flush_process();
}

void SimulatedFlow::say_health(const Process& process) {
  for (const auto& wire : std::vector(process.peer->wires)) say_health(process, *wire);
}

void SimulatedFlow::on_data(const ProcessPtr& process, Wire& wire, GrpcPeer::Stream stream,
                            const std::string& framed, Clock::time_point sent_at) {
  const auto view = wire::scan_data_request(wire::payload(framed));
  ASSERT_TRUE(view.ok());
  const std::string id(view->request_id);
  on_arrival(*process, id, sent_at);
  const bool fails = process->mood == Mood::Flaky && chance_.percent(50);
  const Mood mood = fails ? Mood::Failing : process->mood;
  if (mood == Mood::Refusing) {
    tell("process {} refuses {}", process->pid(), id);
    if (chance_.percent(50)) return wire.grpc()->reset(stream, NGHTTP2_REFUSED_STREAM);
    return wire.grpc()->finish(stream, chance_.percent(50) ? kResourceExhausted : kUnavailable,
                               GrpcPeer::Started::No);
  }
  tell("process {} takes up {}", process->pid(), id);
  on_taken_up(*process, id);
  ++process->in_hand;
  if (mood == Mood::Silent) return;
  if (mood == Mood::Fragile && chance_.percent(30)) {
    return schedule_.in(chance_.between(0ms, 20ms), [this, process] { die(process, SIGSEGV); });
  }
  const auto time = mood == Mood::Slow ? chance_.between(100ms, 3s) : chance_.between(0ms, 30ms);
  schedule_.in(time, [this, process, weak = wire.weak_from_this(), stream, framed, id, mood] {
    answer(process, weak, stream, framed, id, mood);
  });
}

void SimulatedFlow::answer(const ProcessPtr& process, const std::weak_ptr<Wire>& weak,
                           GrpcPeer::Stream stream, const std::string& framed,
                           const std::string& id, Mood mood) {
  if (!process->peer->alive) return;
  if (process->peer->stopped) {  // it goes on where it was
    return schedule_.in(100ms, [=, this] { answer(process, weak, stream, framed, id, mood); });
  }
  --process->in_hand;
  leave_if_done(process);
  const auto wire = weak.lock();
  if (!wire || wire->grpc() == nullptr) return;
  if (mood == Mood::Failing) {
    wire->grpc()->finish(stream, kFailures[chance_.below(kFailures.size())]);
  } else {
    on_answer_of(*process, id);
    wire->grpc()->reply(stream, framed);
    wire->grpc()->finish(stream, 0);
  }
  wire->flush_process();
}

void SimulatedFlow::resume(const ProcessPtr& process) {
  if (!process->peer->alive || !process->peer->stopped) return;
  tell("process {} goes on", process->pid());
  network_.resume(*process->peer);
  say_health(*process);
  leave_if_done(process);
}

// ---- what befalls them --------------------------------------------------------------------------

void SimulatedFlow::begin_faults() {
  faults_ = true;
  const Clock::duration every = chance_.between(20ms, 2s);
  schedule_.in(chance_.between(0ns, every), [this, every] { go_on_with_faults(every); });
}

void SimulatedFlow::go_on_with_faults(Clock::duration every) {
  if (!faults_) return;
  if (const ProcessPtr process = any_process()) befall(process);
  schedule_.in(chance_.between(0ns, 2 * every), [this, every] { go_on_with_faults(every); });
}

ProcessPtr SimulatedFlow::any_process() {
  const Processes& some = chance_.percent(80) ? serving_ : beside_;
  const ProcessPtr process = some[chance_.below(some.size())];
  return process && process->peer->alive ? process : nullptr;
}

Mood SimulatedFlow::any_mood() { return static_cast<Mood>(chance_.below(kMoods.size())); }

void SimulatedFlow::befall(const ProcessPtr& process) {
  Peer& peer = *process->peer;
  switch (chance_.below(10)) {
    case 0:
      return die(process, chance_.percent(50) ? SIGKILL : SIGSEGV);
    case 1:
      return die(process, 0);
    case 2:
      tell("process {} is stopped", peer.pid);
      peer.stopped = true;
      return schedule_.in(chance_.between(10ms, 3s), [this, process] { resume(process); });
    case 3:
      process->serving = !process->serving;
      tell("process {} says {}", peer.pid, process->serving ? "SERVING" : "NOT_SERVING");
      return say_health(*process);
    case 4:
      tell("a connection of process {} breaks", peer.pid);
      return network_.break_wire(peer);
    case 5:
      tell("process {} says that it hangs", peer.pid);
      return notify(peer.pid, {{"X_FLOW_HUNG", "a call made no progress"}});
    case 6:
      tell("process {} is to be replaced", peer.pid);
      return perform(flow_->on_replace(moment(), process->child, "its plugin was replaced"));
    default:
      process->mood = any_mood();
      tell("process {} is {}", peer.pid, name(process->mood));
  }
}

void SimulatedFlow::end_faults() {
  faults_ = false;
  tell("all is well from now on");
  for (const Processes& processes : {serving_, beside_}) {
    for (const ProcessPtr& process : processes) {
      if (!process || !process->peer->alive) continue;
      process->mood = Mood::Well;
      process->serving = true;
      resume(process);
      say_health(*process);
    }
  }
}

void SimulatedFlow::set_all(Mood mood) {
  for_each_process([mood](Process& process) { process.mood = mood; });
}

}  // namespace flow::gateway
