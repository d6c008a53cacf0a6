// SPDX-License-Identifier: Apache-2.0
#include "gateway/services/executor_call.hpp"

#include <algorithm>
#include <utility>

#include "core/limits.hpp"
#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"
#include "gateway/services/error_answer.hpp"

namespace flow::gateway {

namespace limits = core::limits;

namespace {

// Reasons travel in a header, and clients refuse large ones: gRPC's, those of more than 8 KiB.
constexpr std::size_t kReplicasInWords = 4;
constexpr std::size_t kReasonBytesMax = 500;

// Is it the replica's fault that a call came to this end? A deadline that its caller chose short is
// not, nor is what depends on the request.
Balancer::End end_of_failure(absl::StatusCode code, Clock::duration took) {
  switch (code) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
      return Balancer::End::Failed;
    case absl::StatusCode::kDeadlineExceeded:
      return took >= limits::kEjectPatience ? Balancer::End::Failed : Balancer::End::Excused;
    default:
      return Balancer::End::Excused;
  }
}

}  // namespace

ExecutorCall::~ExecutorCall() { leave_replica(Balancer::End::Cancelled); }

void ExecutorCall::ask(std::size_t executor, std::string_view path, std::string_view endpoint,
                       std::string framed, std::optional<Clock::time_point> deadline, Limit limit) {
  executor_ = executor;
  path_ = path;
  request_ = std::move(framed);
  deadline_ = deadline;
  limit_ = limit;
  failed_.clear();
  last_failure_.reset();
  waiting_since_.reset();
  balancer().budget().called();
  retry_.begin(context_.executors.idempotent(executor, endpoint),
               asker_ == Asker::Probe ? 0 : balancer().retries());
  attempt(Turn::InLine);
}

// ---- finding a replica --------------------------------------------------------------------------

void ExecutorCall::attempt(Turn turn) {
  const Clock::time_point now = Clock::now();
  if (deadline_ && now >= *deadline_) {
    return give_up(core::error(absl::StatusCode::kDeadlineExceeded, "Deadline Exceeded"),
                   RetryVerdict::NoTimeLeft);
  }
  if (asker_ != Asker::Probe && turn == Turn::InLine && balancer().waiting() > 0) {
    return wait(Balancer::Lack::Room, now);
  }
  const auto bound = asker_ == Asker::Probe ? Balancer::Bound::Ignored : Balancer::Bound::Kept;
  const Balancer::Choice choice = balancer().choose(failed_, bound, now);
  if (choice.replica != nullptr) return start(*choice.replica, now);
  wait(choice.lack, now);
}

void ExecutorCall::wait(Balancer::Lack lack, Clock::time_point now) {
  if (!waiting_since_) waiting_since_ = now;
  std::optional<Clock::time_point> patience;
  if (asker_ == Asker::Probe) {
    // It has seen enough.
  } else if (lack == Balancer::Lack::Room) {
    const bool held_back = asker_ == Asker::Stream;
    patience = *waiting_since_ + (held_back ? context_.config.gateway.timeout_send
                                            : std::chrono::nanoseconds(limits::kRoomWait));
    const bool too_many = !held_back && !place_.waiting() && !balancer().line_has_room();
    if (too_many || now >= *patience) {
      balancer().count_refusal();
      return give_up(no_room(), RetryVerdict::OtherFailure);
    }
  } else {
    patience = balancer().comeback(now);
  }
  if (!patience) {
    return give_up(last_failure_.value_or(nobody_ready()), RetryVerdict::NoOtherReplica);
  }
  if (!place_.waiting()) balancer().wait(place_, [this] { attempt(Turn::Mine); });
  timeout_.set(context_.loop.alarms(), std::min(*patience, deadline_.value_or(*patience)),
               [this] { attempt(Turn::Mine); });
}

// ---- one try ------------------------------------------------------------------------------------

void ExecutorCall::start(Replica& replica, Clock::time_point now) {
  place_.leave();
  waiting_since_.reset();
  const Clock::time_point own = now + context_.config.gateway.timeout_send;
  const Clock::time_point sooner = std::min(own, deadline_.value_or(own));
  set_timeout(sooner);
  // What travels is the limit of the whole answer.
  const auto until = limit_ == Limit::Answer ? std::optional(sooner) : deadline_;
  try_ = balancer().start(replica, now);
  keep_request_for_retry();
  // Last: a call that cannot start ends at once, and this with it.
  replica.call(*this, path_, std::move(request_),
               until ? std::optional<std::chrono::nanoseconds>(*until - now) : std::nullopt);
}

// The bytes of a request stay where they are, in the call, until it ends: that costs no copy, but
// memory. If that is short, the call goes without.
void ExecutorCall::keep_request_for_retry() {
  const std::uint64_t counted = counted_elsewhere_ + kept_.bytes();
  const bool kept =
      request_.size() <= counted || kept_.grow(context_.loop.budget(), request_.size() - counted);
  keep_request(kept);
  if (!kept) retry_.cannot_repeat();
}

void ExecutorCall::passed_part_on() {
  retry_.passed_part_on();
  keep_request(false);
  kept_.release();
}

void ExecutorCall::wait_for_executor() {
  const Clock::time_point own = Clock::now() + context_.config.gateway.timeout_send;
  set_timeout(std::min(own, deadline_.value_or(own)));
}

void ExecutorCall::wait_for_caller() { set_timeout(deadline_); }

void ExecutorCall::set_timeout(std::optional<Clock::time_point> when) {
  if (!when) return timeout_.cancel();
  timeout_.set(context_.loop.alarms(), *when, [this] { on_timeout(); });
}

void ExecutorCall::on_timeout() {
  cancel();
  failed(core::error(absl::StatusCode::kDeadlineExceeded, "Deadline Exceeded"));
}

void ExecutorCall::leave_replica(Balancer::End how, std::string_view what) {
  if (try_.replica == nullptr) return;
  const Balancer::Try over = std::exchange(try_, {});
  balancer().end(over, how, what, Clock::now());
}

void ExecutorCall::on_done(const absl::Status& status) {
  timeout_.cancel();
  if (!status.ok()) return failed(status);
  const bool doubted = try_.replica->on_trial() && answer_is_error();
  if (doubted && tries_elsewhere()) return retry();
  leave_replica(Balancer::End::Answered);
  kept_.release();
  on_answered();
}

// ---- failure ------------------------------------------------------------------------------------

void ExecutorCall::failed(const absl::Status& status) {
  const Clock::time_point now = Clock::now();
  const bool timed_out = status.code() == absl::StatusCode::kDeadlineExceeded;
  const bool lost = !timed_out && connection_lost();
  const bool unseen = !timed_out && never_ran();
  const Balancer::Try over = try_;
  leave_replica(
      lost || unseen ? Balancer::End::Excused : end_of_failure(status.code(), now - over.started),
      core::message(status));
  failed_.push_back({over.replica, over.connection});
  if (lost) {
    const ReplicaView view = over.replica->view();
    losses_.push_back({executor_, over.replica->index(), view.name, view.address, over.pid,
                       std::string(core::message(status))});
  }
  const RetryVerdict verdict =
      retry_.failed({status.code(), unseen}, now, deadline_, balancer().budget());
  if (verdict != RetryVerdict::Retry) return give_up(status, verdict);
  last_failure_ = status;
  retry();
}

// The process that it is to replace may well do what this one does not.
bool ExecutorCall::tries_elsewhere() {
  Replica& on_trial = *try_.replica;
  on_trial.stats().count_error();
  const RetryPolicy::Failure failure{.code = absl::StatusCode::kUnavailable};
  const RetryVerdict verdict = retry_.failed(failure, Clock::now(), deadline_, balancer().budget());
  if (verdict != RetryVerdict::Retry) return false;
  failed_.push_back({&on_trial, try_.connection});
  last_failure_ = core::error(failure.code, "a new process on trial answered with an error");
  leave_replica(Balancer::End::Answered);
  return true;
}

void ExecutorCall::retry() {
  balancer().count_retry();
  request_ = take_request();
  on_retry();
  attempt(Turn::InLine);
}

void ExecutorCall::give_up(absl::Status status, RetryVerdict verdict) {
  place_.leave();
  timeout_.cancel();
  kept_.release();
  keep_request(false);
  request_ = {};
  last_failure_ = std::move(status);
  verdict_ = verdict;
  if (asker_ == Asker::Probe || !cause_missing()) return fail();
  const Clock::time_point patience = Clock::now() + limits::kCauseWait;
  timeout_.set(context_.loop.alarms(), std::min(patience, deadline_.value_or(patience)),
               [this] { fail(); });
  balancer().words().join(place_, [this] {
    if (!cause_missing()) fail();
  });
}

bool ExecutorCall::cause_missing() const {
  return std::ranges::any_of(losses_, [this](const Loss& loss) {
    const Replica& replica = place_of(loss);
    return replica.supervised() && loss.pid != 0 && replica.end_of(loss.pid) == nullptr;
  });
}

void ExecutorCall::fail() {
  place_.leave();
  timeout_.cancel();
  on_failed(failure());
}

absl::Status ExecutorCall::failure() const {
  if (losses_.empty()) return in_words(*last_failure_, core::message(*last_failure_));
  std::string story;
  std::vector<std::string> evidence;
  for (const Loss& loss : losses_) {
    const ProcessEnd* end = place_of(loss).end_of(loss.pid);
    const std::string& why = end != nullptr ? end->cause : loss.why;
    if (!story.empty()) story += "; then ";
    story += fmt::format("{} was lost with the request: {}", loss.name, why);
    evidence.push_back(
        fmt::format("{} at {} was lost with the request: {}\n", loss.name, loss.address, why));
    if (end != nullptr) add_stacks(end->stacks, evidence);
  }
  const std::string_view why_not = words(verdict_);
  if (!why_not.empty()) {
    story += fmt::format("; not retried: {}", why_not);
  } else {
    story += fmt::format("; then: {}", core::message(*last_failure_));
  }
  return with_evidence(in_words(*last_failure_, story), evidence);
}

absl::Status ExecutorCall::in_words(const absl::Status& status, std::string_view detail) const {
  const auto described = [&](CallFailure failure, std::string_view words) {
    return core::error(status.code(),
                       failure_description(context_.executors.view_of(executor_), failure, words));
  };
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
      return described(CallFailure::Unreachable, detail);
    case absl::StatusCode::kDeadlineExceeded:
      // Whoever noticed first, an executor says the same as we; or that it gave the call up.
      return described(CallFailure::TimedOut, detail);
    default:
      return core::error(status.code(),
                         fmt::format("executor \"{}\": {}", executor_name(), detail));
  }
}

// In the words that a gRPC client has for it, which say why behind the same beginning.
absl::Status ExecutorCall::nobody_ready() const {
  std::string text = "failed to connect to all addresses; last error: ";
  const std::vector<ReplicaView> replicas = context_.executors.view_of(executor_).replicas;
  for (std::size_t i = 0; i < replicas.size() && i < kReplicasInWords; ++i) {
    const auto& [name, address, status] = replicas[i];
    text += fmt::format("{}{} is {}: {}", i == 0 ? "" : "; ", name, core::name(status.state),
                        core::cut(status.reason, kReasonBytesMax));
  }
  if (replicas.size() > kReplicasInWords) {
    text += fmt::format("; and {} more", replicas.size() - kReplicasInWords);
  }
  return core::error(absl::StatusCode::kUnavailable, text);
}

absl::Status ExecutorCall::no_room() const {
  const Balancer& balancer = context_.executors.balancer(executor_);
  return core::error(
      absl::StatusCode::kResourceExhausted,
      fmt::format("its replicas have as many requests in hand as they may (max_in_flight), and {} "
                  "wait; try again later",
                  balancer.waiting()));
}

}  // namespace flow::gateway
