// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "gateway/executors/executors.hpp"
#include "gateway/route/route.hpp"
#include "gateway/services/services.hpp"

namespace flow::gateway {

// One data request on its way through the executors: performs what a Route decides, whoever asked.
// Destroying it while it is underway stops the work, and the executor is told. Confined to its
// loop.
class Traversal final : private ClientCall {
 public:
  // The answer for the caller, framed; or why there is none, in words for the caller.
  using Done = std::function<void(absl::StatusOr<std::string> framed)>;

  explicit Traversal(ServiceContext& context);
  ~Traversal() override;

  // Once. `framed` is the request, `deadline` the caller's own. `done` is called once unless this
  // is destroyed before; it may be called before start() returns and may destroy this.
  void start(std::string framed, std::optional<Clock::time_point> deadline, Done done);

  // Valid once it has started.
  const std::string& request_id() const { return route_.request_id(); }

 private:
  void perform(Route::Step step);
  void ask(Route::Send& send);
  void on_reply(std::string framed) override { answer_ = std::move(framed); }
  void on_done(const absl::Status& status) override;
  void unreachable(std::string_view detail);
  void timed_out(std::string_view detail);
  void leave_replica();
  void leave_replica(CallStats::Outcome outcome);
  void end(absl::StatusOr<std::string> result);
  const std::string& executor_name() const { return context_.executors.names()[executor_]; }

  ServiceContext& context_;
  Done done_;
  Route route_;
  bool admitted_ = false;
  std::optional<Clock::time_point> deadline_;  // the caller's, however it was said
  std::size_t executor_ = 0;
  Replica* replica_ = nullptr;  // while a call to it runs
  Clock::time_point asked_;     // when that call started
  std::optional<std::string> answer_;
  Alarms::Alarm timeout_;
};

}  // namespace flow::gateway
