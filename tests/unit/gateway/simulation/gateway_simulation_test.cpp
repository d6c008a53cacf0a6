// SPDX-License-Identifier: Apache-2.0
//
// Random histories of a whole Flow on virtual time: the supervisor's FlowState and all of the
// gateway between its front and its sockets are the real ones; processes, the network and callers
// are simulated. Whatever happens in whatever order, the invariants hold.
//
// A history is its seed. One that fails is told again with everything that happened in it; by hand:
//   FLOW_SEED=1234 build/dev/tests/unit_gateway_simulation
// and for more histories than usual, and how often what came to pass in them:
//   FLOW_HISTORIES=100000 build/dev/tests/unit_gateway_simulation
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <set>

#include "core/limits.hpp"
#include "core/status.hpp"
#include "gateway/services/deep_dry_run.hpp"
#include "gateway/services/services.hpp"
#include "gateway/services/traversal.hpp"
#include "gtest/gtest.h"
#include "jina.pb.h"
#include "tests/unit/gateway/simulation/simulated_flow.hpp"
#include "wire/grpc.hpp"

namespace flow::gateway {
namespace {

using namespace std::chrono_literals;
namespace limits = core::limits;
using Asker = Traversal::Asker;

// What came to pass: histories are worth their name if all of it does, now and then.
struct Sights {
  std::uint64_t answered = 0, failed = 0, cancelled = 0, expired = 0, refused = 0, retried = 0;
  std::uint64_t ejected = 0, let_in = 0, moved = 0, not_moved = 0, drained_busy = 0, recovered = 0;
};

// One data request, as its caller and the executors' processes see it.
struct Request {
  bool idempotent = false;
  Asker asker = Asker::Caller;
  Clock::time_point started;
  std::optional<Clock::time_point> deadline;
  std::unique_ptr<Traversal> traversal;
  std::function<void()> then;
  std::optional<absl::Status> outcome;  // once it is over
  struct Run {
    std::size_t executor;
    pid_t pid;
    bool answered = false;
  };
  std::vector<Run> runs;  // by whom it was taken up
};

// What gateway/run.cpp puts together, without its front.
struct Gateway {
  Gateway(const core::FlowConfig& config, std::function<void()> on_change,
          std::unique_ptr<Dialer> dialer)
      : executors(loop, core::make_logger("gateway", {.level = "off"}), config,
                  std::move(on_change), std::move(dialer)),
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

class History final : public SimulatedFlow {
 public:
  History(std::uint64_t seed, Load load, Tell tell, Sights& sights)
      : SimulatedFlow(seed, load, tell), sights_(sights) {}
  ~History() override {
    // Whoever asks goes before whom he asks.
    streams_.clear();
    requests_.clear();
    question_.reset();
    gateway_.reset();
  }

  void run() {
    if (!start()) return;
    begin_faults();
    begin_requests();
    pass(chance_.between(500ms, 8s));
    if (chance_.percent(70)) recover();
    stop();
  }

  // Nobody takes up anything, and the retries of so many requests are more than the budget has.
  void run_with_many_retries() {
    if (!start()) return;
    set_all(Mood::Refusing);
    for (int i = 0; i < 2000 && sound(); ++i) {
      ask(Asker::Caller, false);
      if (i % 20 == 0) pass(5ms);
    }
    EXPECT_GE(gateway_->executors.balancer(0).retried(), limits::kRetriesAtOnce);
    recover();
    stop();
  }

 private:
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
    enum class Who { World, Gateway, Supervisor };
    std::array<Who, 3> due{};
    std::size_t count = 0;
    if (world <= first) due[count++] = Who::World;
    if (gateway <= first) due[count++] = Who::Gateway;
    if (supervisor <= first) due[count++] = Who::Supervisor;
    switch (due[count == 1 ? 0 : chance_.below(count)]) {
      case Who::World:
        schedule_.run_one();
        break;
      case Who::Gateway:
        gateway_->loop.alarms().fire();
        break;
      case Who::Supervisor:
        perform(flow_->on_tick(moment()));
    }
    check();
  }

  bool until(std::string_view what, Clock::duration patience, const std::function<bool()>& so) {
    const Clock::time_point end = Clock::now() + patience;
    while (sound() && !so()) {
      step();
      if (Clock::now() <= end) continue;
      ADD_FAILURE() << "not within " << patience / 1ms << " ms: " << what << "; "
                    << (gateway_ ? gateway_->readiness.verdict().reason : "");
    }
    return sound();
  }

  void pass(Clock::duration time) {
    const Clock::time_point end = Clock::now() + time;
    schedule_.at(end, [] {});
    while (Clock::now() < end && sound()) step();
  }

  // ---- the gateway ------------------------------------------------------------------------------

  void start_gateway() override {
    gateway_ = std::make_unique<Gateway>(
        config_, [this] { publish(); }, network_.make_dialer());
    gateway_->executors.on_handover(
        [this](const Executors::HandoverReport& report) { on_handover(report); });
    sweep();
    notify(gateway_pid(), {{"READY", "1"}});
  }
  void sweep() {
    gateway_->executors.sweep(Clock::now());
    gateway_->sweep.set(gateway_->loop.alarms(), Clock::now() + limits::kSweepInterval,
                        [this] { sweep(); });
  }

  void hear(const flow::v1::ReplicaUpdate& update) override {
    if (!gateway_) return;
    const std::string name = fmt::format("{}/rep-{}", update.executor(), update.replica());
    words_[name] = update;
    expect_handover(name, update);
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
    notify(gateway_pid(), {{std::string(core::notify_key::kFlowReady), verdict.ready ? "1" : "0"},
                           {"STATUS", verdict.ready ? "ready" : verdict.reason}});
  }

  void on_handover(const Executors::HandoverReport& report) {
    const bool moved = report.outcome.ok();
    tell("gateway on process {} for {}: {}", report.pid, report.replica,
         moved ? "moved" : core::message(report.outcome));
    ++(moved ? sights_.moved : sights_.not_moved);
    handover_ends_by_[report.replica].reset();
    const auto [successor, before] = process_and_other(static_cast<pid_t>(report.pid));
    if (const ProcessPtr& loser = moved ? before : successor) loser->no_calls_after = Clock::now();
    const auto key = moved ? core::notify_key::kMoved : core::notify_key::kRefused;
    notify(gateway_pid(), {{std::string(key), fmt::format("{} {} {}", report.replica, report.pid,
                                                          core::message(report.outcome))}});
  }

  void stop_gateway() override {
    if (!gateway_ || std::exchange(gateway_->draining, true)) return;
    tell("gateway drains, {} requests are underway", open_);
    if (open_ > 0) ++sights_.drained_busy;
    publish();
    leave_if_drained();
  }
  // As the listener does when its last connection is done.
  void leave_if_drained() {
    if (open_ > 0) return schedule_.in(1ms, [this] { leave_if_drained(); });
    streams_.clear();
    question_.reset();
    check_nothing_is_left();
    gateway_.reset();
    gateway_ended();
  }

  // ---- callers ----------------------------------------------------------------------------------

  bool takes_requests() const { return gateway_ && !gateway_->draining; }

  // Requests of one caller that are held back instead of refused.
  struct Stream {
    Stream(History& history, std::uint64_t requests)
        : left(requests),
          waiter(history.gateway_->context.admission, [this, &history] { history.pump(*this); }) {}
    std::uint64_t left;
    Admission::Waiter waiter;
  };
  void pump(Stream& stream) {
    while (takes_requests() && stream.left > 0 && stream.waiter.may_take()) {
      --stream.left;
      ask(Asker::Stream, chance_.percent(50), [this, &stream] { pump(stream); });
    }
  }

  void begin_requests() { go_on_with_requests(chance_.between(1ms, 100ms), chance_.below(101)); }
  void go_on_with_requests(Clock::duration every, std::uint64_t percent_idempotent) {
    if (!faults_ || !takes_requests() || asked_ >= 150) return;
    switch (chance_.below(20)) {
      case 0:
        streams_.push_back(std::make_unique<Stream>(*this, 1 + chance_.below(10)));
        pump(*streams_.back());
        break;
      case 1:
        ask_deep_dry_run();
        break;
      default:
        ask(Asker::Caller, chance_.percent(percent_idempotent));
    }
    const auto pause = chance_.percent(30) ? Clock::duration(0) : chance_.between(0ns, 2 * every);
    schedule_.in(pause, [this, every, percent_idempotent] {
      go_on_with_requests(every, percent_idempotent);
    });
  }

  const Request& ask(Asker asker, bool idempotent, std::function<void()> then = {}) {
    const std::string id = fmt::format("r{}", ++asked_);
    Request& request = requests_[id];
    request.idempotent = idempotent;
    request.asker = asker;
    request.started = Clock::now();
    request.then = std::move(then);
    if (faults_ && chance_.percent(40)) request.deadline = Clock::now() + chance_.between(1ms, 3s);
    if (faults_ && chance_.percent(10)) {
      schedule_.in(chance_.between(0ms, 500ms), [this, id] { cancel(id); });
    }
    tell("{} asks for {}", id, idempotent ? kAgain : kOnce);
    ++open_;
    jina::DataRequestProto message;
    message.mutable_header()->set_request_id(id);
    message.mutable_header()->set_exec_endpoint(std::string(idempotent ? kAgain : kOnce));
    request.traversal = std::make_unique<Traversal>(gateway_->context, asker);
    request.traversal->start(
        wire::frame(message.SerializeAsString()), request.deadline,
        [this, id](const absl::StatusOr<std::string>& answer) { on_end(id, answer.status()); });
    return request;
  }

  void on_end(const std::string& id, const absl::Status& status) {
    Request& request = requests_.at(id);
    tell("{} ends: {}", id, status.ok() ? "OK" : core::message(status));
    EXPECT_FALSE(request.outcome) << id << " ends twice";
    request.outcome = status;
    --open_;
    ++(status.ok() ? sights_.answered : sights_.failed);
    if (status.code() == absl::StatusCode::kDeadlineExceeded) ++sights_.expired;
    if (status.code() == absl::StatusCode::kResourceExhausted) ++sights_.refused;
    check_end(id, request);
    // Callers let go of it here, and later.
    const auto let_go = [&request] { request.traversal.reset(); };
    chance_.percent(50) ? let_go() : schedule_.in(0ns, let_go);
    if (request.then) schedule_.in(0ns, request.then);
  }

  void cancel(const std::string& id) {
    Request& request = requests_.at(id);
    if (request.outcome) return;
    tell("{} is cancelled", id);
    ++sights_.cancelled;
    request.outcome = absl::CancelledError();
    --open_;
    request.traversal.reset();
    if (request.then) schedule_.in(0ns, request.then);
  }

  void ask_deep_dry_run() {
    if (question_) return;
    question_ = std::make_unique<DeepDryRun::Question>(gateway_->deep_dry_run);
    question_->ask([this](const DryRunAnswer& answer) {
      tell("a deep dry run {}", answer.success ? "is answered" : "fails");
      schedule_.in(0ns, [this] { question_.reset(); });
    });
  }

  // ---- how a history begins and ends ------------------------------------------------------------

  bool start() {
    perform(flow_->start(moment()));
    return until("the Flow is ready", 30s, [&] { return announced_; });
  }

  // Everything is well again, and then so is the Flow.
  void recover() {
    if (!sound()) return;
    end_faults();
    network_.calm_down();
    pass(200ms);  // whatever was on its way has arrived
    until("all requests have ended", request_bound(), [&] { return open_ == 0; });
    // One that has no answer for what it has in hand leaves when drain_timeout is over.
    until("every replica is ready", 60s + config_.supervise.drain_timeout, [&] {
      ask_for_the_failed();
      return every_replica_is_ready() && is_settled() && !question_;
    });
    EXPECT_TRUE(gateway_->readiness.verdict().ready);
    until("the ejected are back", 2 * limits::kEjectLast, [&] {
      if (any_ejected() && open_ == 0) ask(Asker::Caller, false);
      return !any_ejected() && open_ == 0;
    });
    if (sound()) answer_all_at_once();
    ++sights_.recovered;
  }

  // As many as the narrowest executor can have in hand and in line: all are answered, and nobody
  // waits while there is room.
  void answer_all_at_once() {
    std::uint64_t most = config_.gateway.max_in_flight;
    for (const core::ExecutorConfig& executor : config_.executors) {
      most = std::min<std::uint64_t>(most, 2 * *executor.max_in_flight * executor.replicas);
    }
    std::vector<const Request*> requests;
    for (std::uint64_t i = 0; i < most; ++i) requests.push_back(&ask(Asker::Caller, false));
    constexpr Clock::duration kPatience = Clock::duration(limits::kRoomWait) / 2;
    if (!until("all are answered", kPatience, [&] { return open_ == 0; })) return;
    for (const Request* request : requests) EXPECT_EQ(*request->outcome, absl::OkStatus());
  }

  void stop() {
    if (!sound()) return;
    faults_ = false;
    perform(flow_->on_stop_signal(moment(), SIGTERM));
    until("the gateway is drained", request_bound(), [&] { return gateway_ == nullptr; });
    until("the Flow has ended", 300s, [&] { return quit_; });
  }

  // How long a request may take that has no deadline.
  Clock::duration request_bound() const {
    const int tries = config_.gateway.retries < 0 ? 4 : config_.gateway.retries + 1;
    const Clock::duration send = config_.gateway.timeout_send;  // a stream waits that long, too
    const Clock::duration one_try = 2 * send + limits::kRoomWait + limits::kComebackWait;
    return config_.executors.size() * (tries * one_try + limits::kCauseWait) + 1s;
  }

  bool every_replica_is_ready() const {
    const FlowView view = gateway_->executors.view(false);
    return std::ranges::all_of(view.executors, [](const ExecutorView& executor) {
      return std::ranges::all_of(executor.replicas, is_ready);
    });
  }

  // ---- invariants: requests ---------------------------------------------------------------------

  void on_arrival(const Process& process, const std::string& id,
                  Clock::time_point sent_at) override {
    if (!requests_.contains(id) || !process.no_calls_after) return;
    EXPECT_LE(sent_at, *process.no_calls_after)
        << id << " is sent to process " << process.pid() << ", which has no place any more";
  }

  void on_taken_up(const Process& process, const std::string& id) override {
    const auto found = requests_.find(id);
    if (found == requests_.end()) return;  // a dry run
    Request& request = found->second;
    const std::size_t executor = executor_of(process);
    std::size_t failed = 0;  // tries of it that may have run
    for (const Request::Run& run : request.runs) {
      EXPECT_LE(run.executor, executor) << id << " goes back";
      EXPECT_TRUE(request.idempotent || run.executor != executor)
          << id << " runs twice, and its endpoint is not idempotent";
      if (run.executor == executor || !run.answered) ++failed;
    }
    EXPECT_LE(failed, 1u) << id << " is in a third process";
    request.runs.push_back({executor, process.pid()});
  }

  void on_answer_of(const Process& process, const std::string& id) override {
    const auto found = requests_.find(id);
    if (found == requests_.end()) return;
    for (Request::Run& run : found->second.runs) {
      run.answered = run.answered || run.pid == process.pid();
    }
  }

  void check_end(const std::string& id, const Request& request) {
    if (request.deadline) {
      EXPECT_LE(Clock::now(), *request.deadline) << id << " outlives its deadline";
    }
    EXPECT_LE(Clock::now() - request.started, request_bound()) << id;
    if (!request.outcome->ok()) {
      // It was told that there is a place.
      EXPECT_FALSE(request.asker == Asker::Stream &&
                   core::message(*request.outcome).find("are in flight") != std::string_view::npos);
      return;
    }
    std::set<std::size_t> answered;
    for (const Request::Run& run : request.runs) {
      if (run.answered) answered.insert(run.executor);
    }
    EXPECT_EQ(answered.size(), config_.executors.size()) << id << " has passed an executor over";
  }

  void check() {
    if (!gateway_) return;
    EXPECT_EQ(gateway_->context.admission.taken(), open_) << "places, requests underway";
    EXPECT_LE(open_, config_.gateway.max_in_flight);
    for (std::size_t e = 0; e < config_.executors.size(); ++e) check_executor(e);
    if (++checks_ % 16 != 0) return;  // what costs more
    check_verdict();
    for (const auto& [replica, ends_by] : handover_ends_by_) {
      EXPECT_LE(Clock::now(), ends_by.value_or(Clock::now()))
          << "nothing is said of the successor of " << replica;
    }
  }

  void check_executor(std::size_t e) {
    const Balancer& balancer = gateway_->executors.balancer(e);
    const std::size_t places = *config_.executors[e].max_in_flight;
    const auto& replicas = gateway_->executors.replicas(e);
    const std::size_t held_back = streams_.empty() ? 0 : open_;  // streams need no room in the line
    EXPECT_LE(balancer.waiting(), places * replicas.size() + held_back);
    for (const auto& replica : replicas) {
      EXPECT_LE(replica->in_flight(), places + 1) << "of which one may be a probe's";
    }
    const auto seconds = static_cast<std::uint64_t>(VirtualTime::passed() / 1s + 1);
    EXPECT_LE(balancer.retried(), limits::kRetriesAtOnce + asked_ / limits::kCallsPerRetry +
                                      seconds * limits::kRetriesPerSecond);
  }

  void check_nothing_is_left() {
    EXPECT_EQ(gateway_->context.admission.taken(), 0u);
    EXPECT_EQ(gateway_->loop.budget().used(), 0u) << "bytes were not given back";
    for (std::size_t e = 0; e < config_.executors.size(); ++e) {
      Balancer& balancer = gateway_->executors.balancer(e);
      sights_.retried += balancer.retried();
      EXPECT_EQ(balancer.waiting(), 0u);
      EXPECT_TRUE(balancer.words().empty());
      for (const auto& replica : gateway_->executors.replicas(e)) {
        EXPECT_EQ(replica->in_flight(), 0u) << "a place was not given back";
      }
    }
  }

  // ---- invariants: readiness --------------------------------------------------------------------

  void check_verdict() {
    const Verdict& verdict = gateway_->readiness.verdict();
    EXPECT_FALSE(verdict.ready && gateway_->draining);
    if (gateway_->draining) {
      EXPECT_EQ(verdict.reason, "the gateway is draining");
      return;
    }
    bool others_are_ready = true;
    for (const core::ExecutorConfig& executor : config_.executors) {
      const bool named = verdict.reason.find(executor.name + "/rep-") != std::string::npos;
      EXPECT_TRUE(named || has_live_path(executor.name)) << executor.name << " has no live path";
      others_are_ready = others_are_ready && !named;
    }
    EXPECT_EQ(verdict.ready, others_are_ready) << verdict.reason;
  }

  // By what the gateway has been told, and without asking it: a connection that stands, to a
  // process that said over it that it serves and was heard lately, in the place of a replica of
  // which the supervisor says nothing worse. It may say so of the process before: words are late.
  bool has_live_path(const std::string& executor) const {
    const Clock::time_point heard_since =
        Clock::now() - (config_.health.heartbeat_interval + config_.health.heartbeat_timeout);
    bool found = false;
    network_.for_each_standing([&](const Wire& wire) {
      if (!wire.told_serving() || wire.heard_at() < heard_since) return;
      const auto word = words_.find(replica_name(replica_of_.at(wire.peer().pid)));
      found = found || (word != words_.end() && word->second.executor() == executor &&
                        (word->second.state() == flow::v1::READY || word->second.has_successor()));
    });
    return found;
  }

  // ---- invariants: handovers --------------------------------------------------------------------

  // From the first word of a successor to the gateway's: so long it may take.
  void expect_handover(const std::string& replica, const flow::v1::ReplicaUpdate& update) {
    auto& ends_by = handover_ends_by_[replica];
    if (!update.has_successor()) {
      ends_by.reset();
      // Whoever has the place by the supervisor's word gets calls again.
      if (const auto [one, other] = process_and_other(static_cast<pid_t>(update.pid())); one) {
        one->no_calls_after.reset();
      }
    } else if (successors_.insert(update.successor().pid()).second) {
      ends_by = Clock::now() + limits::kMeetingTimeout + limits::kDeepDryRunTimeout +
                limits::kTrialTime + limits::kSettleTime + limits::kSweepInterval;
    }
  }

  // ---- invariants: ejections --------------------------------------------------------------------

  static bool is_ready(const ReplicaView& replica) {
    return replica.status.state == core::ReplicaState::Ready;
  }
  // One that is not ready does not show it.
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
      const auto out = std::ranges::count_if(executor.replicas, is_ejected);
      EXPECT_LE(2 * out, std::ssize(executor.replicas)) << "too many are ejected";
      const bool any_in = out < std::ranges::count_if(executor.replicas, is_ready);
      for (const ReplicaView& replica : executor.replicas) {
        const Seen now{is_ready(replica), is_ejected(replica)};
        const Seen before = std::exchange(seen_[replica.name], now);
        if (!now.ready || !before.ready || now.ejected == before.ejected) continue;
        tell("{} is {}", replica.name, now.ejected ? "ejected" : "let in again");
        ++(now.ejected ? sights_.ejected : sights_.let_in);
        EXPECT_TRUE(any_in) << "the last replica of " << executor.name << " is ejected";
      }
    }
  }

  Sights& sights_;
  const int failures_before_ = failures();
  std::unique_ptr<Gateway> gateway_;

  std::map<std::string, Request> requests_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::unique_ptr<DeepDryRun::Question> question_;
  std::uint64_t asked_ = 0;
  std::size_t open_ = 0;  // requests that are not over

  std::map<std::string, flow::v1::ReplicaUpdate> words_;  // the last one of each replica
  std::map<std::string, std::optional<Clock::time_point>> handover_ends_by_;
  std::set<std::int64_t> successors_;
  struct Seen {
    bool ready = false;
    bool ejected = false;
  };
  std::map<std::string, Seen> seen_;  // of each replica, last
  int steps_at_once_ = 0;
  std::uint64_t checks_ = 0;
};

using Load = History::Load;
using Tell = History::Tell;

std::optional<std::uint64_t> number_from_environment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  return std::strtoull(text, nullptr, 10);
}

std::string story_of(std::uint64_t seed) {
  Sights sights;
  History history(seed, Load::Any, Tell::Everything, sights);
  history.run();
  return history.story();
}

TEST(GatewaySimulation, InvariantsHoldInRandomHistories) {
  if (const auto seed = number_from_environment("FLOW_SEED")) {
    fmt::print(stderr, "{}", story_of(*seed));
    return;
  }
  const auto more = number_from_environment("FLOW_HISTORIES");
  const std::uint64_t histories = more.value_or(2000);
  Sights sights;
  for (std::uint64_t seed = 0; seed < histories; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    History(seed, Load::Any, Tell::Nothing, sights).run();
    if (!::testing::Test::HasFailure()) continue;
    fmt::print(stderr, "The same again, told (FLOW_SEED={}):\n{}", seed, story_of(seed));
    return;
  }
  for (const auto& [what, count] : std::initializer_list<std::pair<const char*, std::uint64_t>>{
           {"requests answered", sights.answered},
           {"requests failed", sights.failed},
           {"requests cancelled", sights.cancelled},
           {"deadlines passed", sights.expired},
           {"requests refused for want of room", sights.refused},
           {"retries", sights.retried},
           {"replicas ejected", sights.ejected},
           {"replicas let in again", sights.let_in},
           {"calls moved to a successor", sights.moved},
           {"successors refused", sights.not_moved},
           {"drains with requests underway", sights.drained_busy},
           {"recoveries", sights.recovered}}) {
    EXPECT_GE(count, histories / 50) << what << " in " << histories << " histories";
    if (more) fmt::print(stderr, "{:>10} {}\n", count, what);
  }
}

TEST(GatewaySimulation, RetriesStayWithinTheirBudgetWhenNobodyTakesUpAnything) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    Sights sights;
    History(seed, Load::ManyRetries, Tell::Nothing, sights).run_with_many_retries();
  }
}

TEST(GatewaySimulation, ASeedTellsTheSameStoryTwice) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const std::string story = story_of(seed);
    EXPECT_FALSE(story.empty());
    EXPECT_EQ(story, story_of(seed)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace flow::gateway
