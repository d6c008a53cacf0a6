// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/executors/executors.hpp"
#include "gateway/http2/client_session.hpp"
#include "gateway/services/services.hpp"

namespace flow::gateway {

// Calls to executors on behalf of one request, one after the other: each goes to the ready replica
// with the fewest, has a limit, and fails in words that are for the caller. Whoever calls derives
// from it; destroying it while a call runs stops the work, and the executor is told. Confined to
// its loop.
class ExecutorCall : protected ClientCall {
 protected:
  // What timeout_send limits: the time to the end of the answer, or to the next part of it.
  enum class Limit { Answer, NextPart };

  explicit ExecutorCall(ServiceContext& context) : context_(context) {}
  ~ExecutorCall() override;

  // `deadline` is the caller's. May end at once, and this with it.
  void ask(std::size_t executor, std::string_view path, std::string framed,
           std::optional<Clock::time_point> deadline, Limit limit);
  // With Limit::NextPart: from now on the executor has time for another one; or it is the caller
  // who keeps us waiting.
  void wait_for_executor();
  void wait_for_caller();

  // on_reply() comes from ClientCall. Then one of these, as the last thing that happens.
  virtual void on_answered() = 0;
  virtual void on_failed(const absl::Status& why) = 0;

  ServiceContext& context() { return context_; }
  const std::string& executor_name() const { return context_.executors.names()[executor_]; }

 private:
  void on_done(const absl::Status& status) final;
  void set_timeout(std::optional<Clock::time_point> when);
  void leave_replica();
  void leave_replica(CallStats::Outcome outcome);
  absl::Status unreachable(std::string_view detail) const;
  absl::Status timed_out(std::string_view detail) const;

  ServiceContext& context_;
  std::size_t executor_ = 0;
  Replica* replica_ = nullptr;  // while a call to it runs
  Clock::time_point asked_;     // when that call started
  std::optional<Clock::time_point> deadline_;
  Alarms::Alarm timeout_;
};

}  // namespace flow::gateway
