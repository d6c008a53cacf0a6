// SPDX-License-Identifier: Apache-2.0
//
// Random histories of a whole Flow on virtual time: the supervisor's FlowState and all of the
// gateway between its front and its sockets are the real ones; processes, the network and callers
// are simulated. Whatever happens in whatever order, the invariants hold.
//
// A history is its seed. One that fails is told again with everything that happened in it; by hand:
//   FLOW_SEED=1234 build/dev/tests/unit_gateway_simulation
// and for more histories than usual: FLOW_HISTORIES=100000.
#include <csignal>
#include <cstdlib>
#include <deque>
#include <set>

#include "core/limits.hpp"
#include "core/text.hpp"
#include "fmt/format.h"
#include "gateway/services/deep_dry_run.hpp"
#include "gateway/services/services.hpp"
#include "gateway/services/traversal.hpp"
#include "gtest/gtest.h"
#include "host/supervisor/control_channel.hpp"
#include "host/supervisor/flow_state.hpp"
#include "jina.pb.h"
#include "tests/unit/gateway/simulation/simulated_network.hpp"
#include "wire/data_request.hpp"
#include "wire/grpc.hpp"

namespace flow::gateway {
namespace {

using namespace std::chrono_literals;
namespace limits = core::limits;
using host::Seat;

constexpr std::string_view kOnce = "/once";    // an endpoint that must not run twice
constexpr std::string_view kAgain = "/again";  // one that may

host::Moment moment() { return {Clock::now(), Clock::wall()}; }

// What an executor's process makes of requests.
enum class Mood { Well, Slow, Failing, Flaky, Refusing, Silent, Fragile };
constexpr std::array<std::string_view, 7> kMoods = {"well",     "slow",   "failing", "flaky",
                                                    "refusing", "silent", "fragile"};

struct Process {
  std::size_t child = 0;
  std::shared_ptr<Peer> peer = std::make_shared<Peer>();
  Mood mood = Mood::Well;
  bool serving = true;   // by its health service
  bool leaving = false;  // got SIGTERM
  std::size_t in_hand = 0;
  std::optional<Clock::time_point> no_calls_after;  // the gateway said that it gets none any more
};

// One data request, as its caller and the executors' processes see it.
struct Request {
  bool idempotent = false;
  std::optional<Clock::time_point> deadline;
  Clock::time_point started;
  std::unique_ptr<Traversal> traversal;
  std::function<void()> then;
  bool over = false;
  struct Run {
    std::size_t executor;
    pid_t pid;
    bool answered = false;
  };
  std::vector<Run> runs;  // where it was taken up
};

struct Gateway {
  Gateway(const core::FlowConfig& config, const core::Logger& log, std::function<void()> on_change,
          std::unique_ptr<Dialer> dialer)
      : executors(loop, log, config, std::move(on_change), std::move(dialer)),
        readiness(executors.view(false)),
        context{loop,
                config,
                executors,
                readiness,
                {executors.names(),
                 [this](std::size_t executor, std::string_view endpoint) {
                   return executors.endpoints().serves(executor, endpoint);
                 },
                 [this] { return fmt::format("made-{}", ++ids); }}},
        deep_dry_run(context) {}

  int ids = 0;
  bool draining = false;
  Loop loop;
  Executors executors;
  Readiness readiness;
  ServiceContext context;
  DeepDryRun deep_dry_run;
  Alarms::Alarm sweep;
};

// What came to pass in histories: they are worth their name if all of it does, now and then.
struct Sights {
  std::uint64_t answered = 0, failed = 0, cancelled = 0, expired = 0, refused = 0, retried = 0;
  std::uint64_t ejected = 0, back_in = 0, moved = 0, not_moved = 0, drained_busy = 0, recovered = 0;
};

class History {
 public:
  enum class Tell { Nothing, Everything };

  History(std::uint64_t seed, Tell tell, Sights& sights)
      : tell_(tell == Tell::Everything),
        sights_(sights),
        chance_(seed),
        network_(schedule_, chance_) {
    VirtualTime::begin();
    make_config();
    plan_ = host::plan_flow(config_);
    for (std::size_t i = 0; i < plan_.replicas.size(); ++i) {
      plan_.replicas[i].unix_path = fmt::format("/flow/{}.sock", i);
      plan_.replicas[i].tcp_address = fmt::format("127.0.0.1:{}", 10000 + i);
    }
    for (auto* seat : {&serving_, &beside_}) seat->resize(plan_.children.size());
    flow_.emplace(config_, plan_, seed);
  }

  ~History() {
    // Whoever asks goes before whom he asks.
    streams_.clear();
    requests_.clear();
    question_.reset();
    gateway_.reset();
  }

  void run() {
    perform(flow_->start(moment()));
    if (!until("the Flow is ready", 30s, [&] { return announced_; })) return;
    faults_ = true;
    arrange_faults();
    arrange_requests();
    const Clock::time_point end = Clock::now() + chance_.between(500ms, 8s);
    schedule_.at(end, [] {});
    while (Clock::now() < end && sound()) step();
    if (chance_.percent(70)) recover();
    stop();
  }

 private:
  // ---- the Flow ---------------------------------------------------------------------------------

  void make_config() {
    config_.file = "flow.toml";
    config_.name = "test";
    const std::size_t executors = 1 + chance_.below(3);
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
    config_.supervise.drain_timeout = 60s;
  }

  // ---- time -------------------------------------------------------------------------------------

  // Nothing has failed in this history.
  bool sound() const { return failures() == failures_before_; }
  static int failures() {
    return ::testing::UnitTest::GetInstance()->current_test_info()->result()->total_part_count();
  }

  // Whoever is due first; of those that are due together, anyone.
  void step() {
    constexpr auto kNever = Clock::time_point::max();
    const auto world = schedule_.next().value_or(kNever);
    const auto gateway = gateway_ ? gateway_->loop.alarms().next().value_or(kNever) : kNever;
    const auto supervisor = flow_->deadline().value_or(kNever);
    const auto first = std::max(std::min({world, gateway, supervisor}), Clock::now());
    ASSERT_NE(first, kNever) << "nothing will ever happen again";
    steps_at_once_ = first == Clock::now() ? steps_at_once_ + 1 : 0;
    ASSERT_LT(steps_at_once_, 100'000) << "time stands still";
    VirtualTime::advance_to(first);
    std::array<int, 3> due{};
    std::size_t count = 0;
    if (world <= first) due[count++] = 0;
    if (gateway <= first) due[count++] = 1;
    if (supervisor <= first) due[count++] = 2;
    switch (due[count == 1 ? 0 : chance_.below(count)]) {
      case 0:
        schedule_.run_one();
        break;
      case 1:
        gateway_->loop.alarms().fire();
        break;
      default:
        perform(flow_->on_tick(moment()));
    }
    check();
  }

  bool until(std::string_view what, Clock::duration patience, const std::function<bool()>& so) {
    const Clock::time_point end = Clock::now() + patience;
    while (sound() && !so()) {
      step();
      if (Clock::now() > end) {
        ADD_FAILURE() << "within " << patience / 1s << " s: " << what
                      << (gateway_ ? "; " + gateway_->readiness.verdict().reason : "");
      }
    }
    return sound();
  }

  template <typename... Args>
  void tell(fmt::format_string<Args...> format, Args&&... args) const {
    if (!tell_) return;
    fmt::print(stderr, "{:12.6f}  {}\n",
               std::chrono::duration<double>(VirtualTime::passed()).count(),
               fmt::format(format, std::forward<Args>(args)...));
  }

  // ---- the supervisor ---------------------------------------------------------------------------

  void perform(host::Actions actions) {
    for (host::Action& each : actions) actions_.push_back(std::move(each));
    if (performing_) return;
    performing_ = true;
    while (!actions_.empty()) {
      const host::Action next = std::move(actions_.front());
      actions_.pop_front();
      std::visit([this](const auto& each) { perform(each); }, next);
    }
    performing_ = false;
  }

  void perform(const host::action::Spawn& spawn) {
    if (spawn.child == host::FlowPlan::kGateway) {
      start_gateway();
    } else {
      start_process(spawn.child, spawn.seat);
    }
    add(flow_->on_spawned(moment(), spawn.child, last_pid_, spawn.seat));
  }
  void add(host::Actions actions) {
    for (host::Action& each : actions) actions_.push_back(std::move(each));
  }
  void perform(const host::action::Signal& signal) {
    if (signal.child == host::FlowPlan::kGateway) return drain();
    const auto process = seat(signal.seat)[signal.child];
    if (!process || !process->peer->alive) return;
    if (signal.number == SIGKILL) {
      schedule_.in(chance_.between(0ms, 5ms), [this, process] { die(process, SIGKILL); });
    } else {
      schedule_.in(chance_.between(0ms, 5ms), [this, process] { leave(process); });
    }
  }
  void perform(const host::action::Promote& promote) {
    std::swap(serving_[promote.child], beside_[promote.child]);
    for (const std::size_t replica : plan_.children[promote.child].replicas) {
      std::swap(plan_.replicas[replica].unix_path, plan_.replicas[replica].beside_path);
    }
  }
  void perform(const host::action::Publish& publish) {
    const auto update = host::replica_update(config_, plan_.replicas[publish.replica],
                                             flow_->replicas()[publish.replica]);
    // The channel keeps their order.
    word_at_ = std::max(word_at_, Clock::now() + (chance_.percent(5) ? chance_.between(1ms, 2s)
                                                                     : chance_.between(0ms, 3ms)));
    schedule_.at(word_at_, [this, update] { hear(update); });
  }
  void perform(const host::action::Replaced&) {}
  void perform(const host::action::AnnounceReady&) { announced_ = true; }
  void perform(const host::action::ReportError& error) {
    tell("supervisor: error: {}", error.text);
  }
  void perform(const host::action::Log& log) { tell("supervisor: {}", log.text); }
  void perform(const host::action::TellParent&) {}
  void perform(const host::action::Quit&) { quit_ = true; }

  // One datagram socket for all: it keeps their order, too.
  void notify(pid_t sender, core::NotifyMessage message) {
    notify_at_ = std::max(notify_at_, Clock::now() + chance_.between(0ms, 3ms));
    schedule_.at(notify_at_, [this, sender, message = std::move(message)] {
      perform(flow_->on_notified(moment(), sender, message));
    });
  }

  // ---- executors' processes ---------------------------------------------------------------------

  std::vector<std::shared_ptr<Process>>& seat(Seat seat) {
    return seat == Seat::Serving ? serving_ : beside_;
  }

  void start_process(std::size_t child, Seat seat_of) {
    auto process = std::make_shared<Process>();
    process->child = child;
    process->peer->pid = ++last_pid_;
    replica_of_[last_pid_] = plan_.children[child].replicas.front();
    // They end only with the schedule, which ends with this.
    process->peer->on_request = [this, weak = std::weak_ptr(process)](
                                    Wire& wire, GrpcPeer::Stream stream, std::string_view path,
                                    std::string framed, Clock::time_point sent_at) {
      if (const auto self = weak.lock()) on_call(self, wire, stream, path, framed, sent_at);
    };
    seat(seat_of)[child] = process;
    host::ReplicaPlan& replica = plan_.replicas[plan_.children[child].replicas.front()];
    if (seat_of == Seat::Beside) replica.beside_path = fmt::format("/flow/{}.sock", last_pid_);
    const std::string path = seat_of == Seat::Serving ? replica.unix_path : replica.beside_path;
    const bool fails = faults_ && chance_.percent(10);
    if (faults_ && chance_.percent(20)) process->mood = any_mood();
    schedule_.in(chance_.between(1ms, 500ms), [this, process, path, fails] {
      if (!process->peer->alive) return;
      if (fails) return die(process, 0);
      network_.listen(path, process->peer);
      tell("process {} listens at {}, {}", process->peer->pid, path, name_of(process->mood));
      notify(process->peer->pid, {{"READY", "1"}});
    });
  }

  std::string name_of(std::size_t replica) const {
    const host::ReplicaPlan& plan = plan_.replicas[replica];
    return fmt::format("{}/rep-{}", config_.executors[plan.executor].name, plan.replica);
  }
  static std::string_view name_of(Mood mood) { return kMoods[static_cast<std::size_t>(mood)]; }
  Mood any_mood() { return static_cast<Mood>(chance_.below(kMoods.size())); }

  // `signal` 0: it exits by itself, badly; unless it was told to leave.
  void die(const std::shared_ptr<Process>& process, int signal) {
    if (!process->peer->alive) return;
    const pid_t pid = process->peer->pid;
    tell("process {} ends ({})", pid, signal);
    network_.kill(*process->peer);
    const auto how = signal == 0 ? host::ProcessExit::How::Exited : host::ProcessExit::How::Killed;
    const host::ProcessExit exit{how, signal == 0 ? (process->leaving ? 0 : 1) : signal};
    schedule_.in(chance_.between(0ms, 30ms), [this, process, exit] {
      const bool serves = serving_[process->child] == process;
      seat(serves ? Seat::Serving : Seat::Beside)[process->child] = nullptr;
      perform(
          flow_->on_exited(moment(), process->child, exit, serves ? Seat::Serving : Seat::Beside));
    });
  }

  void leave(const std::shared_ptr<Process>& process) {
    if (!process->peer->alive || std::exchange(process->leaving, true)) return;
    tell("process {} leaves with {} in hand", process->peer->pid, process->in_hand);
    notify(process->peer->pid, {{"STOPPING", "1"}});
    for (const auto& wire : process->peer->wires) {
      if (wire->grpc() != nullptr) wire->grpc()->say_goodbye();
      wire->flush_process();
    }
    leave_if_done(process);
  }
  void leave_if_done(const std::shared_ptr<Process>& process) {
    if (!process->leaving || process->in_hand > 0 || process->peer->stopped) return;
    // gRPC gives its clients time to read what it said.
    schedule_.in(200ms, [this, process] {
      if (process->in_hand == 0) die(process, 0);
    });
  }

  void on_call(const std::shared_ptr<Process>& process, Wire& wire, GrpcPeer::Stream stream,
               std::string_view path, const std::string& framed, Clock::time_point sent_at) {
    GrpcPeer& grpc = *wire.grpc();
    if (path.ends_with("/Watch")) {
      wire.watch = stream;
      say_health(*process, wire);
    } else if (path.ends_with("/endpoint_discovery")) {
      grpc.finish(stream, 12);  // UNIMPLEMENTED: it serves everything
    } else {
      on_data(process, wire, stream, framed, sent_at);
    }
  }

  static void say_health(const Process& process, Wire& wire) {
    if (!wire.watch || wire.grpc() == nullptr) return;
    wire.says_serving = process.serving;
    wire.grpc()->reply(*wire.watch,
                       wire::frame(std::string{'\x08', process.serving ? '\x01' : '\x02'}));
    wire.flush_process();
  }

  void on_data(const std::shared_ptr<Process>& process, Wire& wire, GrpcPeer::Stream stream,
               const std::string& framed, Clock::time_point sent_at) {
    const auto view = wire::scan_data_request(wire::payload(framed));
    ASSERT_TRUE(view.ok());
    const std::string id(view->request_id);
    if (!id.starts_with("made-") && requests_.contains(id)) {
      if (process->no_calls_after) {
        EXPECT_LE(sent_at, *process->no_calls_after)
            << id << " goes to process " << process->peer->pid << ", which has no place any more";
      }
    }
    const Mood mood =
        process->mood == Mood::Flaky && chance_.percent(50) ? Mood::Failing : process->mood;
    if (mood == Mood::Refusing) {
      tell("process {} refuses {}", process->peer->pid, id);
      if (chance_.percent(50)) return wire.grpc()->reset(stream, NGHTTP2_REFUSED_STREAM);
      return wire.grpc()->finish(stream, chance_.percent(50) ? 8 : 14, GrpcPeer::Started::No);
    }
    tell("process {} takes up {}", process->peer->pid, id);
    take_up(*process, id);
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

  void answer(const std::shared_ptr<Process>& process, const std::weak_ptr<Wire>& weak,
              GrpcPeer::Stream stream, const std::string& framed, const std::string& id,
              Mood mood) {
    if (!process->peer->alive) return;
    if (process->peer->stopped) {  // it goes on where it was
      return schedule_.in(100ms, [=, this] { answer(process, weak, stream, framed, id, mood); });
    }
    --process->in_hand;
    leave_if_done(process);
    const auto wire = weak.lock();
    if (!wire || wire->grpc() == nullptr) return;
    if (mood == Mood::Failing) {
      constexpr std::array<int, 4> kCodes = {14, 13, 2, 8};
      wire->grpc()->finish(stream, kCodes[chance_.below(kCodes.size())]);
    } else {
      const auto request = requests_.find(id);
      if (request != requests_.end()) {
        for (Request::Run& run : request->second.runs) {
          if (run.pid == process->peer->pid) run.answered = true;
        }
      }
      wire->grpc()->reply(stream, framed);
      wire->grpc()->finish(stream, 0);
    }
    wire->flush_process();
  }

  // ---- what happens to them ---------------------------------------------------------------------

  std::shared_ptr<Process> any_process() {
    const auto& seats = chance_.percent(80) ? serving_ : beside_;
    const auto process = seats[chance_.below(seats.size())];
    return process && process->peer->alive ? process : nullptr;
  }

  void arrange_faults() {
    const Clock::duration every = chance_.between(20ms, 2s);
    schedule_.in(chance_.between(0ns, every), [this, every] { go_on_with_faults(every); });
  }
  void go_on_with_faults(Clock::duration every) {
    if (!faults_) return;
    if (const auto process = any_process()) happen_to(process);
    schedule_.in(chance_.between(0ns, 2 * every), [this, every] { go_on_with_faults(every); });
  }

  void happen_to(const std::shared_ptr<Process>& process) {
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
        if (peer.stopped) return;
        for (const auto& wire : peer.wires) say_health(*process, *wire);
        return;
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
        tell("process {} is {}", peer.pid, name_of(process->mood));
    }
  }

  void resume(const std::shared_ptr<Process>& process) {
    if (!process->peer->alive || !process->peer->stopped) return;
    tell("process {} goes on", process->peer->pid);
    network_.resume(*process->peer);
    for (const auto& wire : std::vector(process->peer->wires)) say_health(*process, *wire);
    leave_if_done(process);
  }

  // ---- the gateway ------------------------------------------------------------------------------

  void start_gateway() {
    ++last_pid_;
    gateway_pid_ = last_pid_;
    gateway_ = std::make_unique<Gateway>(
        config_, core::make_logger("gateway", {.level = "off"}), [this] { publish(); },
        network_.make_dialer());
    gateway_->executors.on_handover(
        [this](const Executors::HandoverReport& report) { on_handover(report); });
    sweep();
    notify(gateway_pid_, {{"READY", "1"}});
  }
  void sweep() {
    gateway_->executors.sweep(Clock::now());
    gateway_->sweep.set(gateway_->loop.alarms(), Clock::now() + limits::kSweepInterval,
                        [this] { sweep(); });
  }

  void hear(const flow::v1::ReplicaUpdate& update) {
    if (!gateway_) return;
    const std::string name = fmt::format("{}/rep-{}", update.executor(), update.replica());
    tell("gateway hears: {} is {}, process {}, beside it {}: {}", name,
         flow::v1::ReplicaState_Name(update.state()), update.pid(), update.successor().pid(),
         update.reason());
    auto& expected = handover_ends_by_[name];
    if (!update.has_successor()) {
      expected.reset();
      // Whoever has the place by the supervisor's word gets calls again.
      for (const auto* seats : {&serving_, &beside_}) {
        for (const auto& process : *seats) {
          if (process && process->peer->pid == update.pid()) process->no_calls_after.reset();
        }
      }
    } else if (!expected && handed_over_.insert(update.successor().pid()).second) {
      expected = Clock::now() + limits::kMeetingTimeout + limits::kDeepDryRunTimeout +
                 limits::kTrialTime + limits::kSettleTime + 1s;
    }
    words_[name] = update;
    gateway_->executors.update(update);
  }

  void publish() {
    if (!gateway_) return;  // it is just being made
    look_at_ejections();
    const Verdict before = gateway_->readiness.verdict();
    gateway_->readiness.publish(gateway_->executors.view(gateway_->draining));
    const Verdict& verdict = gateway_->readiness.verdict();
    if (verdict.ready == before.ready && verdict.reason == before.reason) return;
    tell("gateway is {}", verdict.ready ? "ready" : "not ready: " + verdict.reason);
    notify(gateway_pid_, {{std::string(core::notify_key::kFlowReady), verdict.ready ? "1" : "0"},
                          {"STATUS", verdict.ready ? "ready" : verdict.reason}});
  }

  void on_handover(const Executors::HandoverReport& report) {
    tell("gateway on process {} for {}: {}", report.pid, report.replica,
         core::message(report.outcome));
    handover_ends_by_[report.replica].reset();
    ++(report.outcome.ok() ? sights_.moved : sights_.not_moved);
    for (std::size_t child = 0; child < serving_.size(); ++child) {
      for (const auto& [one, other] : {std::pair(serving_[child], beside_[child]),
                                       std::pair(beside_[child], serving_[child])}) {
        if (!one || one->peer->pid != report.pid) continue;
        const auto& loser = report.outcome.ok() ? other : one;
        if (loser) loser->no_calls_after = Clock::now();
      }
    }
    const auto key = report.outcome.ok() ? core::notify_key::kMoved : core::notify_key::kRefused;
    notify(gateway_pid_, {{std::string(key), fmt::format("{} {} {}", report.replica, report.pid,
                                                         core::message(report.outcome))}});
  }

  void drain() {
    if (gateway_->draining) return;
    tell("gateway drains");
    if (open_ > 0) ++sights_.drained_busy;
    gateway_->draining = true;
    takes_requests_ = false;
    publish();
    drain_since_ = Clock::now();
    leave_if_drained();
  }
  // As the listener does when its last connection is done.
  void leave_if_drained() {
    if (open_ > 0) return schedule_.in(1ms, [this] { leave_if_drained(); });
    streams_.clear();
    question_.reset();
    check_nothing_is_left();
    schedule_.in(0ns, [this] {
      gateway_.reset();
      perform(flow_->on_exited(moment(), host::FlowPlan::kGateway, {}));
    });
  }

  // ---- callers ----------------------------------------------------------------------------------

  // A stream of requests: held back instead of refused.
  struct Stream {
    Stream(History& history, int requests)
        : left(requests),
          waiter(history.gateway_->context.admission, [this, &history] { history.pump(*this); }) {}
    int left;
    Admission::Waiter waiter;
  };

  void arrange_requests() {
    const Clock::duration every = chance_.between(1ms, 100ms);
    const std::uint64_t share = chance_.below(100);
    go_on_with_requests(every, share);
  }
  void go_on_with_requests(Clock::duration every, std::uint64_t share_of_idempotent) {
    if (!faults_ || !takes_requests_) return;
    if (asked_ < 150) {
      switch (chance_.below(20)) {
        case 0:
          streams_.push_back(std::make_unique<Stream>(*this, 1 + chance_.below(10)));
          pump(*streams_.back());
          break;
        case 1:
          ask_deep_dry_run();
          break;
        default:
          ask(Traversal::Asker::Caller, chance_.percent(share_of_idempotent));
      }
    }
    const bool burst = chance_.percent(30);
    schedule_.in(burst ? 0ns : chance_.between(0ns, 2 * every), [this, every, share_of_idempotent] {
      go_on_with_requests(every, share_of_idempotent);
    });
  }

  void pump(Stream& stream) {
    while (takes_requests_ && stream.left > 0 && stream.waiter.may_take()) {
      --stream.left;
      ask(Traversal::Asker::Stream, chance_.percent(50), [this, &stream] { pump(stream); });
    }
  }

  std::string ask(Traversal::Asker asker, bool idempotent, std::function<void()> then = {}) {
    const std::string id = fmt::format("r{}", ++asked_);
    Request& request = requests_[id];
    request.idempotent = idempotent;
    request.started = Clock::now();
    request.then = std::move(then);
    if (faults_ && chance_.percent(40)) request.deadline = Clock::now() + chance_.between(1ms, 3s);
    request.traversal = std::make_unique<Traversal>(gateway_->context, asker);
    jina::DataRequestProto message;
    message.mutable_header()->set_request_id(id);
    message.mutable_header()->set_exec_endpoint(std::string(idempotent ? kAgain : kOnce));
    tell("{} is asked for {}", id, idempotent ? kAgain : kOnce);
    ++open_;
    request.traversal->start(wire::frame(message.SerializeAsString()), request.deadline,
                             [this, id, asker](const absl::StatusOr<std::string>& answer) {
                               on_answer(id, asker, answer);
                             });
    if (!request.over && faults_ && chance_.percent(10)) {
      schedule_.in(chance_.between(0ms, 500ms), [this, id] { cancel(id); });
    }
    return id;
  }

  void on_answer(const std::string& id, Traversal::Asker asker,
                 const absl::StatusOr<std::string>& answer) {
    Request& request = requests_.at(id);
    tell("{} ends: {}", id, answer.ok() ? "OK" : core::message(answer.status()));
    EXPECT_FALSE(request.over) << id << " ends twice";
    request.over = true;
    --open_;
    last_answer_ok_ = answer.ok();
    ++(answer.ok() ? sights_.answered : sights_.failed);
    if (answer.status().code() == absl::StatusCode::kDeadlineExceeded) ++sights_.expired;
    if (answer.status().code() == absl::StatusCode::kResourceExhausted) ++sights_.refused;
    EXPECT_LE(Clock::now(), std::max(request.deadline.value_or(Clock::now()), request.started));
    if (answer.ok()) {
      std::set<std::size_t> answered;
      for (const Request::Run& run : request.runs) {
        if (run.answered) answered.insert(run.executor);
      }
      EXPECT_EQ(answered.size(), config_.executors.size()) << id << " skipped an executor";
    }
    if (asker == Traversal::Asker::Stream && !answer.ok()) {
      EXPECT_FALSE(core::message(answer.status()).find("requests are in flight") !=
                   std::string_view::npos)
          << "it was told that there is a place";
    }
    // Either kind of caller is there: who lets go of it in his callback, and later.
    if (chance_.percent(50)) {
      request.traversal.reset();
    } else {
      schedule_.in(0ns, [this, id] { requests_.at(id).traversal.reset(); });
    }
    if (request.then) schedule_.in(0ns, request.then);
  }

  void cancel(const std::string& id) {
    Request& request = requests_.at(id);
    if (request.over) return;
    tell("{} is cancelled", id);
    ++sights_.cancelled;
    request.over = true;
    --open_;
    request.traversal.reset();
    if (request.then) schedule_.in(0ns, request.then);
  }

  void ask_deep_dry_run() {
    if (question_) return;
    question_ = std::make_unique<DeepDryRun::Question>(gateway_->deep_dry_run);
    question_->ask([this](const DryRunAnswer& answer) {
      tell("a deep dry run is {}", answer.success ? "answered" : "failed");
      schedule_.in(0ns, [this] { question_.reset(); });
    });
  }

  // ---- the end of a history ---------------------------------------------------------------------

  // Everything is well again, and then so is the Flow.
  void recover() {
    faults_ = false;
    tell("all is well from now on");
    for (const auto* seats : {&serving_, &beside_}) {
      for (const auto& process : *seats) {
        if (!process || !process->peer->alive) continue;
        process->mood = Mood::Well;
        process->serving = true;
        resume(process);
        if (process->peer->alive && !process->peer->stopped) {
          for (const auto& wire : std::vector(process->peer->wires)) say_health(*process, *wire);
        }
      }
    }
    if (!until("all requests have ended", 60s, [&] { return open_ == 0; })) return;
    const auto all_well = [&] {
      ask_for_the_failed();
      const FlowView view = gateway_->executors.view(false);
      return std::ranges::all_of(view.executors, [](const ExecutorView& executor) {
        return std::ranges::all_of(executor.replicas, [](const ReplicaView& replica) {
          return replica.status.state == core::ReplicaState::Ready;
        });
      });
    };
    if (!until("every replica is ready", 60s, all_well)) return;
    EXPECT_TRUE(gateway_->readiness.verdict().ready);
    const auto no_swaps = [&] {
      return std::ranges::none_of(beside_, [](const auto& process) { return process != nullptr; });
    };
    if (!until("nothing is being replaced", 90s, no_swaps)) return;
    const bool ejected = any_ejected();
    for (int i = 0; i < (ejected ? 400 : 3) && sound(); ++i) {
      const Clock::time_point next = Clock::now() + (ejected ? 300ms : 50ms);
      const std::string id = ask(Traversal::Asker::Caller, false);
      until("it is answered", 10s, [&] { return requests_.at(id).over; });
      schedule_.at(next, [] {});
      until("time passes", 1s, [&] { return Clock::now() >= next; });
      if (ejected && !any_ejected()) break;
    }
    EXPECT_FALSE(any_ejected()) << "it is well and has had its chances";
    EXPECT_TRUE(last_answer_ok_);
    ++sights_.recovered;
  }

  // Replicas whose restarts are spent: somebody has to ask for them.
  void ask_for_the_failed() {
    for (std::size_t child = 1; child < plan_.children.size(); ++child) {
      const std::size_t replica = plan_.children[child].replicas.front();
      if (flow_->replicas()[replica].state != core::ReplicaState::Failed) continue;
      perform(flow_->on_replace(moment(), child, "somebody asks for it"));
    }
  }

  void stop() {
    if (!sound()) return;
    faults_ = false;
    for (const auto& process : serving_) {
      if (process && chance_.percent(50)) resume(process);
    }
    perform(flow_->on_stop_signal(moment(), SIGTERM));
    if (!until("the gateway is drained", request_bound(), [&] { return gateway_ == nullptr; })) {
      return;
    }
    until("the Flow has ended", 300s, [&] { return quit_; });
  }

  // How long one request may take that has no deadline.
  Clock::duration request_bound() const {
    std::uint32_t tries = 4;
    if (config_.gateway.retries >= 0)
      tries = static_cast<std::uint32_t>(config_.gateway.retries) + 1;
    const Clock::duration one_try =
        config_.gateway.timeout_send + limits::kRoomWait + limits::kComebackWait;
    const Clock::duration held_back = config_.gateway.timeout_send;  // streams wait that long
    return config_.executors.size() * (tries * (one_try + held_back) + limits::kCauseWait) + 1s;
  }

  // ---- invariants -------------------------------------------------------------------------------

  void take_up(const Process& process, const std::string& id) {
    const auto found = requests_.find(id);
    if (found == requests_.end()) return;  // a dry run
    Request& request = found->second;
    const std::size_t executor =
        plan_.replicas[plan_.children[process.child].replicas.front()].executor;
    std::size_t failed = 0;  // processes that it was in, and that did not answer it
    for (const Request::Run& run : request.runs) {
      EXPECT_LE(run.executor, executor) << id << " goes back";
      EXPECT_TRUE(request.idempotent || run.executor != executor)
          << id << " runs twice and must not";
      EXPECT_FALSE(run.executor == executor && run.answered && !request.idempotent);
      if (run.executor == executor || !run.answered) ++failed;
    }
    EXPECT_LE(failed, 1u) << id << " is in a third process";
    request.runs.push_back({executor, process.peer->pid});
  }

  void check() {
    if (!gateway_) return;
    const std::size_t underway = gateway_->context.admission.taken();
    EXPECT_EQ(underway, open_) << "places are taken, requests are underway";
    EXPECT_LE(underway, config_.gateway.max_in_flight);
    for (std::size_t e = 0; e < gateway_->executors.names().size(); ++e) check_executor(e);
    if (++checks_ % 16 == 0) {
      check_verdict();
      check_handovers();
    }
  }

  void check_executor(std::size_t e) {
    const Balancer& balancer = gateway_->executors.balancer(e);
    const std::size_t places = *config_.executors[e].max_in_flight;
    const auto& replicas = gateway_->executors.replicas(e);
    if (streams_.empty()) {
      EXPECT_LE(balancer.waiting(), places * replicas.size());
    }
    for (const auto& replica : replicas) {
      EXPECT_LE(replica->in_flight(), places + 1) << "and a probe";
    }
    EXPECT_LE(
        balancer.retried(),
        static_cast<std::uint64_t>(limits::kRetriesAtOnce) + asked_ / limits::kCallsPerRetry +
            static_cast<std::uint64_t>(VirtualTime::passed() / 1s + 1) * limits::kRetriesPerSecond);
  }

  void check_verdict() {
    const Verdict& verdict = gateway_->readiness.verdict();
    if (verdict.ready) {
      EXPECT_FALSE(gateway_->draining);
      for (std::size_t e = 0; e < config_.executors.size(); ++e) {
        EXPECT_TRUE(has_live_path(e)) << config_.executors[e].name << " has no live path";
      }
      return;
    }
    if (gateway_->draining) {
      EXPECT_EQ(verdict.reason, "the gateway is draining");
      return;
    }
    bool named = false;
    for (const ExecutorView& executor : gateway_->executors.view(false).executors) {
      if (executor.ready()) continue;
      named = true;
      EXPECT_NE(verdict.reason.find(executor.name + "/rep-"), std::string::npos) << verdict.reason;
    }
    EXPECT_TRUE(named) << "not ready without an executor that is not: " << verdict.reason;
  }

  // By what the gateway has been told, and without asking it: a connection that stands, to a
  // process that said over it that it serves and was heard lately, in the place of a replica of
  // which the supervisor says nothing worse. It may say so of the process before: words are late.
  bool has_live_path(std::size_t e) const {
    const Clock::time_point heard_since =
        Clock::now() - (config_.health.heartbeat_interval + config_.health.heartbeat_timeout);
    bool found = false;
    network_.for_each_standing([&](const Wire& wire) {
      if (!wire.told_serving() || wire.heard_at() < heard_since) return;
      const std::size_t replica = replica_of_.at(wire.peer().pid);
      const auto word = words_.find(name_of(replica));
      found = found || (plan_.replicas[replica].executor == e && word != words_.end() &&
                        (word->second.state() == flow::v1::READY || word->second.has_successor()));
    });
    return found;
  }

  void check_handovers() {
    for (const auto& [replica, ends_by] : handover_ends_by_) {
      EXPECT_LE(Clock::now(), ends_by.value_or(Clock::now()))
          << "nothing is said of the successor of " << replica;
    }
  }

  static bool is_ejected(const ReplicaView& replica) {
    return replica.status.reason.starts_with("ejected until");
  }
  bool any_ejected() const {
    const FlowView view = gateway_->executors.view(false);
    return std::ranges::any_of(view.executors, [](const ExecutorView& executor) {
      return std::ranges::any_of(executor.replicas, is_ejected);
    });
  }
  void look_at_ejections() {
    for (const ExecutorView& executor : gateway_->executors.view(false).executors) {
      const auto ready = [](const ReplicaView& replica) {
        return replica.status.state == core::ReplicaState::Ready;
      };
      EXPECT_LE(2 * std::ranges::count_if(executor.replicas, is_ejected),
                std::ssize(executor.replicas))
          << "too many are ejected";
      const bool others = std::ranges::any_of(executor.replicas, [&](const ReplicaView& replica) {
        return ready(replica) && !is_ejected(replica);
      });
      for (const ReplicaView& replica : executor.replicas) {
        // One that is not ready does not show it: that it does when it is again is no news.
        if (!ready(replica)) continue;
        const bool is = is_ejected(replica);
        const bool was = std::exchange(ejected_[replica.name], is);
        if (was == is) continue;
        tell("{} is {}", replica.name, is ? "ejected" : "in again");
        ++(is ? sights_.ejected : sights_.back_in);
        const bool just_now = unready_.erase(replica.name) == 0;
        EXPECT_TRUE(!is || others || !just_now) << "the last replica is ejected";
      }
      for (const ReplicaView& replica : executor.replicas) {
        ready(replica) ? unready_.erase(replica.name) : unready_.insert(replica.name).second;
      }
    }
  }

  void check_nothing_is_left() {
    EXPECT_EQ(gateway_->context.admission.taken(), 0u);
    EXPECT_EQ(gateway_->loop.budget().used(), 0u);
    for (std::size_t e = 0; e < gateway_->executors.names().size(); ++e) {
      sights_.retried += gateway_->executors.balancer(e).retried();
      EXPECT_EQ(gateway_->executors.balancer(e).waiting(), 0u);
      EXPECT_TRUE(gateway_->executors.balancer(e).words().empty());
      for (const auto& replica : gateway_->executors.replicas(e)) {
        EXPECT_EQ(replica->in_flight(), 0u) << "a place was not given back";
      }
    }
  }

  const bool tell_;
  Sights& sights_;
  const int failures_before_ = failures();
  Chance chance_;
  Schedule schedule_;
  SimulatedNetwork network_;
  core::FlowConfig config_;
  host::FlowPlan plan_;
  std::optional<host::FlowState> flow_;
  std::deque<host::Action> actions_;
  bool performing_ = false;
  std::vector<std::shared_ptr<Process>> serving_;  // by child
  std::vector<std::shared_ptr<Process>> beside_;
  std::map<pid_t, std::size_t> replica_of_;
  pid_t last_pid_ = 1000;
  pid_t gateway_pid_ = 0;
  std::unique_ptr<Gateway> gateway_;

  Clock::time_point word_at_;
  Clock::time_point notify_at_;
  std::map<std::string, flow::v1::ReplicaUpdate> words_;  // the last one of each replica
  std::map<std::string, std::optional<Clock::time_point>> handover_ends_by_;
  std::set<std::int64_t> handed_over_;
  std::map<std::string, bool> ejected_;  // as it was seen last
  std::set<std::string> unready_;

  std::map<std::string, Request> requests_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::unique_ptr<DeepDryRun::Question> question_;
  std::uint64_t asked_ = 0;
  std::size_t open_ = 0;
  bool last_answer_ok_ = false;

  bool announced_ = false;
  bool faults_ = false;
  bool takes_requests_ = true;
  bool quit_ = false;
  Clock::time_point drain_since_;
  int steps_at_once_ = 0;
  std::uint64_t checks_ = 0;
};

std::optional<std::uint64_t> number_from_environment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  return std::strtoull(text, nullptr, 10);
}

TEST(GatewaySimulation, InvariantsHoldInRandomHistories) {
  Sights sights;
  if (const auto seed = number_from_environment("FLOW_SEED")) {
    return History(*seed, History::Tell::Everything, sights).run();
  }
  const std::uint64_t histories = number_from_environment("FLOW_HISTORIES").value_or(2000);
  for (std::uint64_t seed = 0; seed < histories; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    History(seed, History::Tell::Nothing, sights).run();
    if (!::testing::Test::HasFailure()) continue;
    fmt::print(stderr, "The same again, told (FLOW_SEED={}):\n", seed);
    History(seed, History::Tell::Everything, sights).run();
    return;
  }
  const std::uint64_t often = histories / 20;
  for (const auto& [what, count] : std::initializer_list<std::pair<const char*, std::uint64_t>>{
           {"requests answered", sights.answered},
           {"requests failed", sights.failed},
           {"requests cancelled", sights.cancelled},
           {"deadlines passed", sights.expired},
           {"requests refused for want of room", sights.refused},
           {"retries", sights.retried},
           {"replicas ejected", sights.ejected},
           {"replicas let in again", sights.back_in},
           {"calls moved to a successor", sights.moved},
           {"successors refused", sights.not_moved},
           {"drains with requests underway", sights.drained_busy},
           {"recoveries", sights.recovered}}) {
    EXPECT_GE(count, often) << what << " within " << histories << " histories";
    RecordProperty(what, fmt::format("{}", count));
    if (std::getenv("FLOW_SIGHTS") != nullptr) fmt::print(stderr, "{:>9} {}\n", count, what);
  }
}

}  // namespace
}  // namespace flow::gateway
