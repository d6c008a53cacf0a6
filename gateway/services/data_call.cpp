// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "core/status.hpp"
#include "fmt/format.h"
#include "gateway/services/services.hpp"

namespace flow::gateway {
namespace {

constexpr std::string_view kProcessPath = "/jina.JinaSingleDataRequestRPC/process_single_data";

wire::WallTime wall_now() { return std::chrono::system_clock::now(); }

// jina.JinaSingleDataRequestRPC/process_single_data: performs what a Route decides. Being the
// handler of one call and the call to the next executor in one, it goes away as a whole when the
// caller does, and the executor is told.
class DataCall final : public GrpcHandler, private ClientCall {
 public:
  DataCall(ServiceContext& context, GrpcCall& call)
      : context_(context), call_(call), route_(context.route) {}

  ~DataCall() override {
    leave_replica();
    if (admitted_) --context_.in_flight;
  }

  // ---- the caller ---------------------------------------------------------------------------

  void on_message(std::string framed) override {
    if (std::exchange(has_request_, true)) return too_many_messages();
    request_ = std::move(framed);
  }

  void on_end() override {
    if (!has_request_) return too_many_messages();
    if (context_.in_flight >= context_.config.gateway.max_in_flight) {
      return finish(core::error(
          absl::StatusCode::kResourceExhausted,
          fmt::format("{} requests are in flight, the limit (max_in_flight in [gateway]); try "
                      "again later",
                      context_.in_flight)));
    }
    admitted_ = true;
    ++context_.in_flight;
    Route::Step step = route_.start(std::move(request_), wall_now());
    if (route_.timeout_ms() != 0) {
      timeout_at_ = Clock::now() + std::chrono::milliseconds(route_.timeout_ms());
    }
    perform(std::move(step));
  }

 private:
  void too_many_messages() {
    finish(core::error(absl::StatusCode::kInternal,
                       "process_single_data takes exactly one request message"));
  }

  // The caller may take its time to take the answer: it holds up no other request by that.
  void finish(const absl::Status& status) {
    if (std::exchange(admitted_, false)) --context_.in_flight;
    call_.finish(status);
  }

  void perform(Route::Step step) {
    if (auto* send = std::get_if<Route::Send>(&step)) {
      ask(*send);
    } else if (auto* answer = std::get_if<Route::Answer>(&step)) {
      call_.send(std::move(answer->framed));
      finish(absl::OkStatus());
    } else {
      finish(std::get<Route::Fail>(step).status);
    }
  }

  // ---- the executor -------------------------------------------------------------------------

  void ask(Route::Send& send) {
    executor_ = send.executor;
    replica_ = context_.executors.least_loaded(executor_);
    if (replica_ == nullptr) return unreachable("failed to connect to all addresses");
    const Clock::time_point now = Clock::now();
    Clock::time_point deadline = now + context_.config.gateway.timeout_send;
    if (call_.deadline()) deadline = std::min(deadline, *call_.deadline());
    if (timeout_at_) deadline = std::min(deadline, *timeout_at_);
    timeout_.set(context_.loop.alarms(), deadline, [this] {
      cancel();
      leave_replica();
      timed_out("Deadline Exceeded");
    });
    replica_->call_started();
    // Last: a call that cannot start ends at once, and this with it.
    replica_->call(*this, kProcessPath, std::move(send.framed), deadline - now);
  }

  void on_reply(std::string framed) override { answer_ = std::move(framed); }

  void leave_replica() {
    if (replica_ != nullptr) std::exchange(replica_, nullptr)->call_ended();
  }

  void unreachable(std::string_view detail) {
    finish(core::error(absl::StatusCode::kUnavailable,
                       failure_description(context_.executors.view_of(executor_),
                                           CallFailure::Unreachable, detail)));
  }

  void timed_out(std::string_view detail) {
    finish(core::error(
        absl::StatusCode::kDeadlineExceeded,
        failure_description(context_.executors.view_of(executor_), CallFailure::TimedOut, detail)));
  }

  void on_done(const absl::Status& status) override {
    timeout_.cancel();
    leave_replica();
    switch (status.code()) {
      case absl::StatusCode::kOk:
        if (!answer_) {
          return finish(
              core::error(absl::StatusCode::kInternal,
                          fmt::format("executor \"{}\" answered without a message", name())));
        }
        return perform(route_.on_answer(*std::exchange(answer_, std::nullopt), wall_now()));
      case absl::StatusCode::kUnavailable:
        return unreachable(core::message(status));
      case absl::StatusCode::kDeadlineExceeded:
        return timed_out(core::message(status));
      default:
        return finish(core::with_context(status, fmt::format("executor \"{}\"", name())));
    }
  }

  const std::string& name() const { return context_.executors.names()[executor_]; }

  ServiceContext& context_;
  GrpcCall& call_;
  Route route_;
  bool has_request_ = false;
  bool admitted_ = false;
  std::string request_;
  std::optional<Clock::time_point> timeout_at_;
  std::size_t executor_ = 0;
  Replica* replica_ = nullptr;  // while a call to it runs
  std::optional<std::string> answer_;
  Alarms::Alarm timeout_;
};

}  // namespace

std::unique_ptr<GrpcHandler> make_data_call(ServiceContext& context, GrpcCall& call) {
  return std::make_unique<DataCall>(context, call);
}

}  // namespace flow::gateway
