// SPDX-License-Identifier: Apache-2.0
#include "gateway/services/executor_call.hpp"

#include <algorithm>
#include <utility>

#include "core/status.hpp"
#include "fmt/format.h"

namespace flow::gateway {

ExecutorCall::~ExecutorCall() { leave_replica(); }

void ExecutorCall::ask(std::size_t executor, std::string_view path, std::string framed,
                       std::optional<Clock::time_point> deadline, Limit limit) {
  executor_ = executor;
  deadline_ = deadline;
  replica_ = context_.executors.least_loaded(executor_);
  if (replica_ == nullptr) return on_failed(unreachable("failed to connect to all addresses"));
  const Clock::time_point now = Clock::now();
  const Clock::time_point own = now + context_.config.gateway.timeout_send;
  const Clock::time_point sooner = std::min(own, deadline_.value_or(own));
  set_timeout(sooner);
  // What travels is the limit of the whole answer.
  const auto until = limit == Limit::Answer ? std::optional(sooner) : deadline_;
  asked_ = now;
  replica_->call_started();
  // Last: a call that cannot start ends at once, and this with it.
  replica_->call(*this, path, std::move(framed),
                 until ? std::optional<std::chrono::nanoseconds>(*until - now) : std::nullopt);
}

void ExecutorCall::wait_for_executor() {
  const Clock::time_point own = Clock::now() + context_.config.gateway.timeout_send;
  set_timeout(std::min(own, deadline_.value_or(own)));
}

void ExecutorCall::wait_for_caller() { set_timeout(deadline_); }

void ExecutorCall::set_timeout(std::optional<Clock::time_point> when) {
  if (!when) return timeout_.cancel();
  timeout_.set(context_.loop.alarms(), *when, [this] {
    cancel();
    leave_replica(CallStats::Outcome::Failed);
    on_failed(timed_out("Deadline Exceeded"));
  });
}

void ExecutorCall::leave_replica() {
  if (replica_ != nullptr) std::exchange(replica_, nullptr)->call_ended();
}

void ExecutorCall::leave_replica(CallStats::Outcome outcome) {
  if (replica_ != nullptr) replica_->stats().record(asked_, Clock::now(), outcome);
  leave_replica();
}

absl::Status ExecutorCall::unreachable(std::string_view detail) const {
  return core::error(
      absl::StatusCode::kUnavailable,
      failure_description(context_.executors.view_of(executor_), CallFailure::Unreachable, detail));
}

absl::Status ExecutorCall::timed_out(std::string_view detail) const {
  return core::error(
      absl::StatusCode::kDeadlineExceeded,
      failure_description(context_.executors.view_of(executor_), CallFailure::TimedOut, detail));
}

void ExecutorCall::on_done(const absl::Status& status) {
  timeout_.cancel();
  leave_replica(status.ok() ? CallStats::Outcome::Answered : CallStats::Outcome::Failed);
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return on_answered();
    case absl::StatusCode::kUnavailable:
      return on_failed(unreachable(core::message(status)));
    case absl::StatusCode::kDeadlineExceeded:
      // Its clock may be a moment ahead of ours: the caller is told the same.
      return on_failed(timed_out("Deadline Exceeded"));
    default:
      return on_failed(core::with_context(status, fmt::format("executor \"{}\"", executor_name())));
  }
}

}  // namespace flow::gateway
