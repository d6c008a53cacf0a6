// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "gateway/route/route.hpp"
#include "gateway/services/admission.hpp"
#include "gateway/services/executor_call.hpp"

namespace flow::gateway {

// One data request on its way through the executors: performs what a Route decides, whoever asked.
// Destroying it while it is underway stops the work, and the executor is told. Confined to its
// loop.
class Traversal final : private ExecutorCall {
 public:
  using ExecutorCall::Asker;
  // The answer for the caller, framed; or why there is none, in words for the caller.
  using Done = std::function<void(absl::StatusOr<std::string> framed)>;

  explicit Traversal(ServiceContext& context, Asker asker = Asker::Caller);

  // Once. `framed` is the request, `deadline` the caller's own. `done` is called once unless this
  // is destroyed before; it may be called before start() returns and may destroy this.
  void start(std::string framed, std::optional<Clock::time_point> deadline, Done done);

  // Valid once it has started; empty if the request does not say or cannot be read.
  const std::string& request_id() const { return route_.request_id(); }

 private:
  absl::Status admit();
  void perform(Route::Step step);
  void on_reply(std::string framed) override { answer_ = std::move(framed); }
  void on_retry() override { answer_.reset(); }
  void on_answered() override;
  void on_failed(const absl::Status& why) override { end(why); }
  bool answer_is_error() const override;
  void end(absl::StatusOr<std::string> result);

  Done done_;
  Route route_;
  Admission::Place place_;
  std::optional<Clock::time_point> deadline_;  // the caller's, however it was said
  std::optional<std::string> answer_;
};

// What a request may not be underway without; or why it has none.
absl::StatusOr<Admission::Place> take_place(ServiceContext& context, Admission::Kind kind);
// The sooner of what the transport and what the request's header says.
std::optional<Clock::time_point> sooner_deadline(std::optional<Clock::time_point> deadline,
                                                 std::uint32_t timeout_ms);

}  // namespace flow::gateway
