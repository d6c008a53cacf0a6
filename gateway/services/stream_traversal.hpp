// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "gateway/route/route.hpp"
#include "gateway/services/admission.hpp"
#include "gateway/services/executor_call.hpp"

namespace flow::gateway {

// One document on its way through the executors, as a data request with one document; the last that
// serves the endpoint streams its answer. Destroying it while it is underway stops the work, and
// the executor is told. Confined to its loop.
//
// The executor of the stream is asked for more only while the listener wants more: what it sends
// beyond that waits in its own connection's window, and then in its plugin. timeout_send is what it
// may take from one part to the next, so that a stream may last.
class StreamTraversal final : private ExecutorCall {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    // A part of the answer: SingleDocumentRequestProto, framed. The last one may be an error, which
    // its header says. May destroy the traversal.
    virtual void on_part(std::string framed) = 0;
    // Asked before each part. After a no, call part_wanted().
    virtual bool wants_part() = 0;
    // Once, after the last part, with OK or why there are no more, in words for the caller. May
    // destroy the traversal.
    virtual void on_done(const absl::Status& status) = 0;
  };

  explicit StreamTraversal(ServiceContext& context);

  // Once. `framed` is a SingleDocumentRequestProto, `deadline` the caller's own; `listener`
  // outlives this, and may be called before start() returns.
  void start(std::string framed, std::optional<Clock::time_point> deadline, Listener& listener);
  void part_wanted();

  // Valid once it has started; empty if the request does not say or cannot be read.
  const std::string& request_id() const { return route_.request_id(); }

 private:
  void perform(Route::Step step);
  void perform_send(Route::Send& send);
  // An answer that no executor streams: nobody serves the endpoint, or one on the way failed.
  void perform_answer(std::string_view framed);
  void on_reply(std::string framed) override;
  bool wants_reply() override;
  void on_retry() override { answer_.reset(); }
  void on_answered() override;
  void on_failed(const absl::Status& why) override { end(why); }
  // The part with the caller's request id.
  absl::StatusOr<std::string> part_of(std::string framed) const;
  void end(const absl::Status& status);

  Listener* listener_ = nullptr;
  Route route_;
  Admission::Place place_;
  std::optional<Clock::time_point> deadline_;  // the caller's, however it was said
  std::optional<std::string> answer_;          // of an executor before the last
  bool streaming_ = false;
  bool held_back_ = false;
};

}  // namespace flow::gateway
