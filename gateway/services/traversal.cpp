// SPDX-License-Identifier: Apache-2.0
#include "gateway/services/traversal.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/status.hpp"
#include "fmt/format.h"

namespace flow::gateway {
namespace {

constexpr std::string_view kProcessPath = "/jina.JinaSingleDataRequestRPC/process_single_data";

wire::WallTime wall_now() { return std::chrono::system_clock::now(); }

}  // namespace

Traversal::Traversal(ServiceContext& context) : context_(context), route_(context.route) {}

Traversal::~Traversal() {
  leave_replica();
  if (admitted_) --context_.in_flight;
}

void Traversal::start(std::string framed, std::optional<Clock::time_point> deadline, Done done) {
  done_ = std::move(done);
  deadline_ = deadline;
  if (context_.in_flight >= context_.config.gateway.max_in_flight) {
    return end(core::error(
        absl::StatusCode::kResourceExhausted,
        fmt::format("{} requests are in flight, the limit (max_in_flight in [gateway]); try "
                    "again later",
                    context_.in_flight)));
  }
  admitted_ = true;
  ++context_.in_flight;
  Route::Step step = route_.start(std::move(framed), wall_now());
  if (route_.timeout_ms() != 0) {
    const Clock::time_point own = Clock::now() + std::chrono::milliseconds(route_.timeout_ms());
    deadline_ = std::min(own, deadline_.value_or(own));
  }
  perform(std::move(step));
}

void Traversal::perform(Route::Step step) {
  if (auto* send = std::get_if<Route::Send>(&step)) {
    ask(*send);
  } else if (auto* answer = std::get_if<Route::Answer>(&step)) {
    end(std::move(answer->framed));
  } else {
    end(std::get<Route::Fail>(step).status);
  }
}

// The caller may take its time to take the answer: it holds up no other request by that.
void Traversal::end(absl::StatusOr<std::string> result) {
  if (std::exchange(admitted_, false)) --context_.in_flight;
  // Last, and from a place of its own: it may destroy this.
  const Done done = std::exchange(done_, nullptr);
  done(std::move(result));
}

// ---- the executor -------------------------------------------------------------------------------

void Traversal::ask(Route::Send& send) {
  executor_ = send.executor;
  replica_ = context_.executors.least_loaded(executor_);
  if (replica_ == nullptr) return unreachable("failed to connect to all addresses");
  const Clock::time_point now = Clock::now();
  Clock::time_point deadline = now + context_.config.gateway.timeout_send;
  if (deadline_) deadline = std::min(deadline, *deadline_);
  timeout_.set(context_.loop.alarms(), deadline, [this] {
    cancel();
    leave_replica(CallStats::Outcome::Failed);
    timed_out("Deadline Exceeded");
  });
  asked_ = now;
  replica_->call_started();
  // Last: a call that cannot start ends at once, and this with it.
  replica_->call(*this, kProcessPath, std::move(send.framed), deadline - now);
}

void Traversal::leave_replica() {
  if (replica_ != nullptr) std::exchange(replica_, nullptr)->call_ended();
}

void Traversal::leave_replica(CallStats::Outcome outcome) {
  if (replica_ != nullptr) replica_->stats().record(asked_, Clock::now(), outcome);
  leave_replica();
}

void Traversal::unreachable(std::string_view detail) {
  end(core::error(absl::StatusCode::kUnavailable,
                  failure_description(context_.executors.view_of(executor_),
                                      CallFailure::Unreachable, detail)));
}

void Traversal::timed_out(std::string_view detail) {
  end(core::error(
      absl::StatusCode::kDeadlineExceeded,
      failure_description(context_.executors.view_of(executor_), CallFailure::TimedOut, detail)));
}

void Traversal::on_done(const absl::Status& status) {
  timeout_.cancel();
  leave_replica(status.ok() ? CallStats::Outcome::Answered : CallStats::Outcome::Failed);
  switch (status.code()) {
    case absl::StatusCode::kOk:
      if (!answer_) {
        return end(core::error(
            absl::StatusCode::kInternal,
            fmt::format("executor \"{}\" answered without a message", executor_name())));
      }
      return perform(route_.on_answer(*std::exchange(answer_, std::nullopt), wall_now()));
    case absl::StatusCode::kUnavailable:
      return unreachable(core::message(status));
    case absl::StatusCode::kDeadlineExceeded:
      return timed_out(core::message(status));
    default:
      return end(core::with_context(status, fmt::format("executor \"{}\"", executor_name())));
  }
}

}  // namespace flow::gateway
