// SPDX-License-Identifier: Apache-2.0
// Requests whose replicas die, refuse or are full: each ends once, as well as it can, and says why.
#include <list>

#include "core/limits.hpp"
#include "gateway/services/error_answer.hpp"
#include "gateway/services/executors_report.hpp"
#include "gateway/services/stream_traversal.hpp"
#include "gateway/services/traversal.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/component/gateway/fake_executor.hpp"

namespace flow::gateway {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
namespace limits = core::limits;

class RetryTest : public testing::Test {
 protected:
  // One who asks.
  struct Asked {
    explicit Asked(ServiceContext& context, Traversal::Asker asker) : traversal(context, asker) {}
    Traversal traversal;
    std::vector<absl::StatusOr<std::string>> ends;

    bool over() const { return !ends.empty(); }
    const absl::Status& status() const { return ends.at(0).status(); }
    std::string text() const { return std::string(core::message(status())); }
  };

  void make(std::uint32_t replicas, const std::function<void(core::FlowConfig&)>& edit = {}) {
    flow_ = std::make_unique<FlowOfFakes>(FlowOfFakes::Replicas{replicas}, edit);
  }
  void make_idempotent(std::uint32_t replicas,
                       const std::function<void(core::FlowConfig&)>& edit = {}) {
    make(replicas, [&](core::FlowConfig& config) {
      config.executors[0].idempotent = {{"/x", {}}};
      if (edit) edit(config);
    });
  }
  Asked& ask(const std::string& id, std::optional<std::chrono::milliseconds> timeout = {},
             Traversal::Asker asker = Traversal::Asker::Caller) {
    Asked& asked = asked_.emplace_back(flow_->context(), asker);
    jina::DataRequestProto message;
    message.mutable_header()->set_request_id(id);
    message.mutable_header()->set_exec_endpoint("/x");
    const auto deadline = timeout ? std::optional(Clock::now() + *timeout) : std::nullopt;
    asked.traversal.start(
        wire::frame(message.SerializeAsString()), deadline,
        [&asked](absl::StatusOr<std::string> end) { asked.ends.push_back(std::move(end)); });
    return asked;
  }
  void wait_end(const Asked& asked) {
    flow_->wait("an end", [&] { return asked.over(); });
  }
  // The replica that has the request.
  std::uint32_t wait_call(const std::string& id) {
    std::uint32_t at = 0;
    flow_->wait("request " + id, [&] {
      for (at = 0; at < flow_->fakes.size(); ++at) {
        if (has(at, id)) return true;
      }
      return false;
    });
    return at;
  }
  bool has(std::uint32_t replica, const std::string& id) {
    return flow_->fakes[replica] &&
           std::ranges::any_of(flow_->fakes[replica]->pending, [&](FakeExecutor::Pending* call) {
             return call->ready && call->path.ends_with("/process_single_data") && call->id() == id;
           });
  }
  void echo(const std::string& id) { flow_->fakes[wait_call(id)]->call_of(id).echo(); }
  void fail(const std::string& id, absl::StatusCode code = absl::StatusCode::kInternal) {
    flow_->fakes[wait_call(id)]->call_of(id).call.finish(core::error(code, "broken"));
  }
  void pass(std::chrono::milliseconds time) {
    const auto later = Clock::now() + time;
    flow_->wait("time", [&] { return Clock::now() >= later; });
  }
  void die(std::uint32_t replica, const std::string& reason) {
    flow_->kill(replica);
    tell_end(replica, reason);
  }
  void tell_end(std::uint32_t replica, const std::string& reason) {
    const std::int64_t pid = flow_->executors().replicas(0)[replica]->pid();
    flow_->say(replica, flow::v1::BACKOFF, 0, reason, {pid, reason});
  }
  void restart(std::uint32_t replica) {
    const Replica& restarted = *flow_->executors().replicas(0)[replica];
    const std::uint64_t before = restarted.connection();
    if (flow_->fakes[replica]) die(replica, "restarted");
    flow_->start_process(replica, 300);
    flow_->wait("its new process",
                [&] { return restarted.ready() && restarted.connection() > before; });
  }
  std::vector<std::string> stacks(const Asked& asked) {
    const auto status = error_status(asked.status(), flow_->context().readiness.verdict());
    return {status.exception().stacks().begin(), status.exception().stacks().end()};
  }
  std::string report() {
    return executors_report(flow_->executors(), flow_->context().readiness.verdict(),
                            {Clock::now(), std::chrono::system_clock::now()});
  }
  // Nothing is left of any request.
  void TearDown() override {
    for (const Asked& asked : asked_) EXPECT_LE(asked.ends.size(), 1u) << "it ended twice";
    asked_.clear();
    EXPECT_EQ(flow_->context().admission.taken(), 0u);
    EXPECT_EQ(flow_->executors().balancer(0).waiting(), 0u);
    flow_->fakes.clear();  // what they had to say is counted in the same budget
    EXPECT_EQ(flow_->loop.budget().used(), 0u);
    for (const auto& replica : flow_->executors().replicas(0)) {
      EXPECT_EQ(replica->in_flight(), 0u);
    }
  }

  std::unique_ptr<FlowOfFakes> flow_;
  std::list<Asked> asked_;
};

// ---- another replica ----------------------------------------------------------------------------

TEST_F(RetryTest, AnIdempotentRequestOfADeadProcessIsAnsweredByAnother) {
  make_idempotent(2);
  Asked& asked = ask("1");
  const std::uint32_t first = wait_call("1");
  die(first, "process 100 was killed");
  EXPECT_EQ(wait_call("1"), 1 - first);
  echo("1");
  wait_end(asked);
  EXPECT_TRUE(asked.ends[0].ok()) << asked.status();
  EXPECT_THAT(report(), HasSubstr("\"retries\":1"));
}

TEST_F(RetryTest, TheReplicaMaySayThatItIsIdempotent) {
  make(2);
  jina::EndpointsProto said;
  said.add_endpoints("/default");
  (*(*said.mutable_schemas()->mutable_fields())["/default"]
        .mutable_struct_value()
        ->mutable_fields())["idempotent"]
      .set_bool_value(true);
  const_cast<Endpoints&>(flow_->executors().endpoints()).set(0, "a", said);
  Asked& asked = ask("1");
  die(wait_call("1"), "killed");
  echo("1");
  wait_end(asked);
  EXPECT_TRUE(asked.ends[0].ok()) << asked.status();
}

TEST_F(RetryTest, AnyOtherMayHaveRunAndSaysWhyItIsLost) {
  make(2);
  Asked& asked = ask("1");
  const std::uint32_t first = wait_call("1");
  flow_->kill(first);
  flow_->wait("the connection to break",
              [&] { return !flow_->executors().replicas(0)[first]->ready(); });
  EXPECT_FALSE(asked.over()) << "it waits for the supervisor";
  tell_end(first, "process 100 was killed by signal 9 (SIGKILL)");
  wait_end(asked);
  EXPECT_EQ(asked.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(asked.text(),
              AllOf(HasSubstr(fmt::format("a/rep-{} was lost with the request: process 100 was "
                                          "killed by signal 9 (SIGKILL)",
                                          first)),
                    HasSubstr("not retried: it may have run"),
                    HasSubstr("|Gateway: Communication error with deployment a")));
  ASSERT_EQ(stacks(asked).size(), 1u);
  EXPECT_THAT(stacks(asked)[0], HasSubstr("was lost with the request: "));
  EXPECT_FALSE(has(1 - first, "1"));
}

TEST_F(RetryTest, TheCauseMayComeWithWordOfTheProcessThatHasTakenOver) {
  make(2);
  Asked& asked = ask("1");
  const std::uint32_t first = wait_call("1");
  const std::int64_t pid = flow_->executors().replicas(0)[first]->pid();
  flow_->kill(first);
  flow_->wait("the connection to break",
              [&] { return !flow_->executors().replicas(0)[first]->ready(); });
  flow_->say(first, flow::v1::READY, 4712, "serves in its place", {pid, "it was killed"});
  wait_end(asked);
  EXPECT_THAT(asked.text(),
              HasSubstr(fmt::format("a/rep-{} was lost with the request: it was killed;", first)));
  EXPECT_THAT(stacks(asked).at(0), HasSubstr("was lost with the request: it was killed"));
}

TEST_F(RetryTest, TheCauseIsNotWaitedForForEver) {
  make(2);
  Asked& asked = ask("1");
  flow_->kill(wait_call("1"));
  const auto before = Clock::now();
  wait_end(asked);
  EXPECT_GE(Clock::now() - before, limits::kCauseWait - 50ms);
  EXPECT_THAT(asked.text(), HasSubstr("was lost with the request: closed by the peer"));
  EXPECT_THAT(stacks(asked).at(0), HasSubstr("was lost with the request"));
}

TEST_F(RetryTest, WhoLeavesWhileTheCauseIsWaitedForHearsNothing) {
  make(2);
  ask("1");
  const std::uint32_t first = wait_call("1");
  flow_->kill(first);
  flow_->wait("the connection to break",
              [&] { return !flow_->executors().replicas(0)[first]->ready(); });
  asked_.clear();
  tell_end(first, "killed");
  EXPECT_EQ(flow_->context().admission.taken(), 0u);
}

TEST_F(RetryTest, ARequestThatKillsWhatItMeetsKillsTwoOfThreeAndNamesBoth) {
  make_idempotent(3);
  Asked& asked = ask("poison");
  const std::uint32_t first = wait_call("poison");
  die(first, "the first died of SIGSEGV");
  const std::uint32_t second = wait_call("poison");
  EXPECT_NE(first, second);
  die(second, "the second died of SIGSEGV");
  wait_end(asked);
  EXPECT_EQ(asked.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(asked.text(), AllOf(HasSubstr("the first died of SIGSEGV; then a/rep-"),
                                  HasSubstr("the second died of SIGSEGV"),
                                  HasSubstr("not retried: it was in two processes")));
  EXPECT_EQ(stacks(asked).size(), 2u);
  EXPECT_FALSE(has(3 - first - second, "poison"));
}

TEST_F(RetryTest, AnErrorOfTheExecutorIsAnAnswer) {
  make_idempotent(2);
  Asked& asked = ask("1");
  fail("1");
  wait_end(asked);
  EXPECT_EQ(asked.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(report(), HasSubstr("\"retries\":0"));
}

TEST_F(RetryTest, NoRetriesAreNoRetries) {
  make_idempotent(2, [](core::FlowConfig& config) { config.gateway.retries = 0; });
  Asked& asked = ask("1");
  die(wait_call("1"), "killed");
  wait_end(asked);
  EXPECT_THAT(asked.text(), HasSubstr("as often as `retries`"));
}

TEST_F(RetryTest, ASpentBudgetIsNamed) {
  make_idempotent(2);
  RetryBudget& budget = flow_->executors().balancer(0).budget();
  Asked& asked = ask("1");
  const std::uint32_t first = wait_call("1");
  while (budget.take(Clock::now())) {
  }
  die(first, "killed");
  wait_end(asked);
  EXPECT_THAT(asked.text(), HasSubstr("more than a fifth of the executor's calls are retries"));
}

TEST_F(RetryTest, ADeadlineEndsARetryToo) {
  make_idempotent(2);
  Asked& asked = ask("1", 300ms);
  die(wait_call("1"), "the cause");
  wait_call("1");
  wait_end(asked);
  EXPECT_EQ(asked.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(asked.text(), HasSubstr("the cause"));
}

TEST_F(RetryTest, WhoLeavesDuringARetryTakesTheWorkWithHim) {
  make_idempotent(2);
  ask("1");
  const std::uint32_t first = wait_call("1");
  die(first, "killed");
  wait_call("1");
  asked_.clear();
  flow_->wait("the executor to hear of it",
              [&] { return flow_->fakes[1 - first]->waiting() == 0; });
}

TEST_F(RetryTest, AProbeIsNotTriedAgain) {
  make_idempotent(2);
  Asked& asked = ask("1", {}, Traversal::Asker::Probe);
  die(wait_call("1"), "killed");
  wait_end(asked);
  EXPECT_FALSE(asked.ends[0].ok());
}

TEST_F(RetryTest, ManyRequestsOfADeadProcessAllEndWell) {
  make_idempotent(2);
  for (int i = 0; i < 200; ++i) ask(std::to_string(i));
  flow_->wait("all requests",
              [&] { return flow_->fakes[0]->waiting() + flow_->fakes[1]->waiting() == 200; });
  die(0, "killed");
  flow_->wait("all at the other", [&] { return flow_->fakes[1]->waiting() == 200; });
  for (int i = 0; i < 200; ++i) echo(std::to_string(i));
  for (const Asked& asked : asked_) {
    wait_end(asked);
    EXPECT_TRUE(asked.ends[0].ok());
  }
}

// ---- coming back --------------------------------------------------------------------------------

TEST_F(RetryTest, ARequestWaitsForAProcessThatIsOnItsWayBack) {
  make(1);
  die(0, "killed; restart 1 of 5");
  flow_->wait("it to be known", [&] { return !flow_->executors().replicas(0)[0]->ready(); });
  Asked& asked = ask("1");
  pass(50ms);
  EXPECT_FALSE(asked.over());
  flow_->start_process(0, 200);
  echo("1");
  wait_end(asked);
  EXPECT_TRUE(asked.ends[0].ok()) << asked.status();
}

TEST_F(RetryTest, ANewProcessOfTheSameReplicaIsAnother) {
  make_idempotent(1);
  Asked& asked = ask("1");
  wait_call("1");
  die(0, "killed; restart 1 of 5");
  pass(50ms);
  flow_->start_process(0, 200);
  echo("1");
  wait_end(asked);
  EXPECT_TRUE(asked.ends[0].ok()) << asked.status();
}

TEST_F(RetryTest, NobodyWaitsForWhatIsNotComing) {
  make(1);
  flow_->kill(0);
  flow_->say(0, flow::v1::FAILED, 0, "will not be started again");
  flow_->wait("it to be known", [&] { return !flow_->executors().replicas(0)[0]->ready(); });
  Asked& asked = ask("1");
  EXPECT_TRUE(asked.over());
  EXPECT_THAT(asked.text(),
              testing::StartsWith("failed to connect to all addresses; last error: a/rep-0 is "
                                  "FAILED: will not be started again |Gateway: "));
}

TEST_F(RetryTest, AGatewayThatHasJustStartedWaitsForItsFirstConnection) {
  flow_ = std::make_unique<FlowOfFakes>(FlowOfFakes::Replicas{.count = 1, .awaited = false});
  ASSERT_FALSE(flow_->executors().replicas(0)[0]->ready());
  Asked& asked = ask("1");
  EXPECT_FALSE(asked.over());
  echo("1");
  wait_end(asked);
  EXPECT_TRUE(asked.ends[0].ok()) << asked.status();
}

TEST_F(RetryTest, WhoWaitsHearsAtOnceThatNothingIsComing) {
  make(1);
  die(0, "killed; restart 1 of 5");
  flow_->wait("it to be known", [&] { return !flow_->executors().replicas(0)[0]->ready(); });
  Asked& asked = ask("1");
  EXPECT_FALSE(asked.over());
  const auto before = Clock::now();
  flow_->say(0, flow::v1::FAILED, 0, "given up");
  wait_end(asked);
  EXPECT_LT(Clock::now() - before, 500ms);
}

TEST_F(RetryTest, AnOutageIsWaitedForOnlyInItsFirstMoments) {
  make(1);
  die(0, "killed; restart 1 of 5");
  Asked& first = ask("1");
  wait_end(first);
  EXPECT_EQ(first.status().code(), absl::StatusCode::kUnavailable);
  Asked& second = ask("2");
  EXPECT_TRUE(second.over()) << "now it is known to take longer";
}

TEST_F(RetryTest, ADeadlineInsideAWaitIsKept) {
  make(1);
  die(0, "killed; restart 1 of 5");
  flow_->wait("it to be known", [&] { return !flow_->executors().replicas(0)[0]->ready(); });
  Asked& asked = ask("1", 50ms);
  EXPECT_FALSE(asked.over());
  wait_end(asked);
  EXPECT_EQ(asked.status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(RetryTest, WhoLeavesInsideAWaitLeavesNothing) {
  make(1);
  die(0, "killed; restart 1 of 5");
  flow_->wait("it to be known", [&] { return !flow_->executors().replicas(0)[0]->ready(); });
  ask("1");
  EXPECT_EQ(flow_->executors().balancer(0).waiting(), 1u);
  asked_.clear();
  EXPECT_EQ(flow_->executors().balancer(0).waiting(), 0u);
  flow_->start_process(0, 200);
  flow_->wait("it to be ready", [&] { return flow_->executors().replicas(0)[0]->ready(); });
}

// ---- load ---------------------------------------------------------------------------------------

void one_at_a_time(core::FlowConfig& config) { config.executors[0].max_in_flight = 1; }

TEST_F(RetryTest, AFullReplicaGetsNoMoreAndTheNextWaitsItsTurn) {
  make(2, one_at_a_time);
  ask("1");
  ask("2");
  EXPECT_NE(wait_call("1"), wait_call("2"));
  Asked& third = ask("3");
  Asked& fourth = ask("4");
  EXPECT_EQ(flow_->executors().balancer(0).waiting(), 2u);
  EXPECT_THAT(report(), HasSubstr("\"waiting\":2"));
  echo("1");
  wait_call("3");
  EXPECT_FALSE(has(0, "4") || has(1, "4"));
  echo("2");
  echo("3");
  echo("4");
  wait_end(third);
  wait_end(fourth);
  EXPECT_TRUE(fourth.ends[0].ok());
}

TEST_F(RetryTest, ACallerTooManyIsRefusedAtOnce) {
  make(1, one_at_a_time);
  ask("1");
  ask("2");
  Asked& third = ask("3");
  ASSERT_TRUE(third.over());
  EXPECT_EQ(third.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(third.text(), HasSubstr("(max_in_flight), and 1 wait"));
  EXPECT_THAT(report(), HasSubstr("\"refused\":1"));
  echo("1");
  echo("2");
}

TEST_F(RetryTest, ACallerIsNotKeptWaitingForLong) {
  make(1, one_at_a_time);
  ask("1");
  Asked& second = ask("2");
  const auto before = Clock::now();
  wait_end(second);
  EXPECT_GE(Clock::now() - before, limits::kRoomWait - 50ms);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kResourceExhausted);
  echo("1");
}

TEST_F(RetryTest, RequestsOfAStreamAreHeldBackAndNotRefused) {
  make(1, one_at_a_time);
  for (int i = 0; i < 5; ++i) ask(std::to_string(i), {}, Traversal::Asker::Stream);
  EXPECT_EQ(flow_->executors().balancer(0).waiting(), 4u);
  for (int i = 0; i < 5; ++i) echo(std::to_string(i));
  for (const Asked& asked : asked_) wait_end(asked);
}

TEST_F(RetryTest, AProbeGoesPastTheLine) {
  make(1, one_at_a_time);
  ask("1");
  ask("2");
  Asked& probe = ask("probe", {}, Traversal::Asker::Probe);
  echo("probe");
  wait_end(probe);
  EXPECT_TRUE(probe.ends[0].ok());
  echo("1");
  echo("2");
}

TEST_F(RetryTest, WhoWaitsForRoomHearsOfTheEndOfTheExecutor) {
  make(1, one_at_a_time);
  Asked& first = ask("1");
  wait_call("1");
  Asked& second = ask("2", {}, Traversal::Asker::Stream);
  flow_->kill(0);
  flow_->say(0, flow::v1::FAILED, 0, "given up");
  wait_end(first);
  wait_end(second);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
}

// ---- ejection -----------------------------------------------------------------------------------

class EjectionTest : public RetryTest {
 protected:
  // Calls to this replica fail until it is ejected, those to others are answered.
  void break_replica(std::uint32_t replica) {
    for (int i = 0; i < 40 && !ejected(replica); ++i) {
      const std::string id = fmt::format("b{}", ++ids_);
      Asked& asked = ask(id);
      if (wait_call(id) == replica) {
        fail(id);
      } else {
        echo(id);
      }
      wait_end(asked);
    }
  }
  bool ejected(std::uint32_t replica) {
    return flow_->executors().replicas(0)[replica]->view().status.reason.starts_with("ejected");
  }
  int ids_ = 0;
};

TEST_F(EjectionTest, AReplicaThatFailsCallAfterCallIsAvoidedAndShownAndStillReady) {
  make(2);
  break_replica(0);
  ASSERT_TRUE(ejected(0));
  EXPECT_THAT(flow_->context().readiness.verdict().readyz_verbose,
              AllOf(HasSubstr("ejected until 20"),
                    HasSubstr("5 calls in a row failed, last: broken"), Not(HasSubstr("BACKOFF"))));
  EXPECT_THAT(report(), HasSubstr("ejected until"));
  EXPECT_TRUE(flow_->context().readiness.verdict().ready);
  for (int i = 0; i < 6; ++i) {
    ask(std::to_string(i));
    EXPECT_EQ(wait_call(std::to_string(i)), 1u);
  }
  for (int i = 0; i < 6; ++i) echo(std::to_string(i));
}

TEST_F(EjectionTest, OneCallTriesItAfterItsTime) {
  make(2);
  break_replica(0);
  ASSERT_TRUE(ejected(0));
  pass(std::chrono::duration_cast<std::chrono::milliseconds>(limits::kEjectFirst) + 50ms);
  ask("trial");
  EXPECT_EQ(wait_call("trial"), 0u);
  ask("2");
  EXPECT_EQ(wait_call("2"), 1u) << "one is enough";
  echo("trial");
  flow_->wait("it to be used again", [&] { return !ejected(0); });
  EXPECT_EQ(flow_->executors().replicas(0)[0]->view().status.reason, "serving");
  echo("2");
}

TEST_F(EjectionTest, OfAPairOnlyOneIsEjected) {
  make(2);
  break_replica(0);
  break_replica(1);
  EXPECT_NE(ejected(0), ejected(1));
}

TEST_F(EjectionTest, TheOnlyReplicaIsNeverEjected) {
  make(1);
  break_replica(0);
  EXPECT_FALSE(ejected(0));
}

TEST_F(EjectionTest, AnEjectedReplicaIsUsedIfTheOthersDie) {
  make(2);
  break_replica(0);
  ASSERT_TRUE(ejected(0));
  die(1, "killed");
  flow_->wait("it to be known", [&] { return !flow_->executors().replicas(0)[1]->ready(); });
  ask("1");
  EXPECT_EQ(wait_call("1"), 0u);
  EXPECT_FALSE(ejected(0));
  echo("1");
}

TEST_F(EjectionTest, ANewProcessIsNotEjected) {
  make(2);
  break_replica(0);
  ASSERT_TRUE(ejected(0));
  restart(0);
  EXPECT_FALSE(ejected(0));
}

TEST_F(EjectionTest, AProcessThatDiesIsNoFailureOfTheNextOne) {
  make_idempotent(2);
  for (int i = 0; i < 20; ++i) ask(std::to_string(i));
  flow_->wait("all requests",
              [&] { return flow_->fakes[0]->waiting() + flow_->fakes[1]->waiting() == 20; });
  die(0, "killed");
  flow_->wait("all at the other", [&] { return flow_->fakes[1]->waiting() == 20; });
  restart(0);
  EXPECT_FALSE(ejected(0));
  for (int i = 0; i < 20; ++i) echo(std::to_string(i));
}

// ---- streams of documents -----------------------------------------------------------------------

class StreamRetryTest : public RetryTest, protected StreamTraversal::Listener {
 protected:
  void start() {
    jina::SingleDocumentRequestProto message;
    message.mutable_header()->set_exec_endpoint("/x");
    message.mutable_document()->set_text("text");
    traversal_ = std::make_unique<StreamTraversal>(flow_->context());
    traversal_->start(wire::frame(message.SerializeAsString()), std::nullopt, *this);
  }
  void on_part(std::string framed) override { parts_.push_back(std::move(framed)); }
  bool wants_part() override { return true; }
  void on_done(const absl::Status& status) override {
    done_.push_back(status);
    traversal_.reset();
  }
  FakeExecutor::Pending& wait_stream(std::uint32_t& replica) {
    flow_->wait("the stream", [&] {
      for (replica = 0; replica < flow_->fakes.size(); ++replica) {
        if (flow_->fakes[replica] && flow_->fakes[replica]->waiting() == 1) return true;
      }
      return false;
    });
    return *flow_->fakes[replica]->pending[0];
  }
  void wait_done() {
    flow_->wait("the end", [&] { return !done_.empty(); });
  }
  std::unique_ptr<StreamTraversal> traversal_;
  std::vector<std::string> parts_;
  std::vector<absl::Status> done_;
};

TEST_F(StreamRetryTest, IsTriedAgainWhileNothingWasPassedOn) {
  make_idempotent(2);
  start();
  std::uint32_t replica = 0;
  wait_stream(replica);
  die(replica, "killed");
  auto& again = wait_stream(replica);
  again.call.send(again.request);
  again.call.finish(absl::OkStatus());
  wait_done();
  EXPECT_TRUE(done_[0].ok()) << done_[0];
  EXPECT_EQ(parts_.size(), 1u);
}

TEST_F(StreamRetryTest, IsNotTriedAgainAfterAPart) {
  make_idempotent(2);
  start();
  std::uint32_t replica = 0;
  auto& first = wait_stream(replica);
  first.call.send(first.request);
  flow_->wait("the part", [&] { return parts_.size() == 1; });
  die(replica, "the cause");
  wait_done();
  EXPECT_EQ(parts_.size(), 1u);
  EXPECT_THAT(std::string(core::message(done_[0])),
              AllOf(HasSubstr("the cause"), HasSubstr("a part of the answer had been passed on")));
}

}  // namespace
}  // namespace flow::gateway
