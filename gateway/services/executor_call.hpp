// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/executors/executors.hpp"
#include "gateway/executors/retry_policy.hpp"
#include "gateway/http2/client_session.hpp"
#include "gateway/services/services.hpp"

namespace flow::gateway {

// Calls to executors on behalf of one request, one after the other: each goes to a ready replica
// that has room, is tried again elsewhere if RetryPolicy says so, waits a moment for a replica if
// none can take it, has a limit, and fails in words that are for the caller and say why. Whoever
// calls derives from it; destroying it while a call runs stops the work, and the executor is told.
// Confined to its loop.
//
//   ask -> (waits for a replica) -> tries -> answered
//               ^                     |
//               '------- again -------+--> (waits for the cause) -> failed
class ExecutorCall : protected ClientCall {
 protected:
  // Who asks: one request by itself, one of a stream, or a probe.
  enum class Asker {
    Caller,  // waits kRoomWait for a replica with room, and not if too many do already
    Stream,  // has been held back before: waits as long as a call may take
    Probe,   // is to see what is: it is not counted, does not wait and is not tried again
  };
  // What timeout_send limits: the time to the end of the answer, or to the next part of it.
  enum class Limit { Answer, NextPart };

  ExecutorCall(ServiceContext& context, Asker asker) : context_(context), asker_(asker) {}
  ~ExecutorCall() override;

  // Bytes of the request that somebody counts in the loop's budget until it has ended; what is kept
  // beyond that for another try is counted here.
  void counted_elsewhere(std::uint64_t bytes) { counted_elsewhere_ = bytes; }

  // `path` is gRPC's and static, `endpoint` the request's, `deadline` the caller's. May end at
  // once, and this with it.
  void ask(std::size_t executor, std::string_view path, std::string_view endpoint,
           std::string framed, std::optional<Clock::time_point> deadline, Limit limit);
  // The caller has got a part of the answer: there is no other try.
  void passed_part_on();
  // With Limit::NextPart: from now on the executor has time for another one; or it is the caller
  // who keeps us waiting.
  void wait_for_executor();
  void wait_for_caller();

  // on_reply() comes from ClientCall; what it brought is void if the call is tried again, which it
  // is told by on_retry(). Then one of the others, as the last thing that happens.
  virtual void on_retry() = 0;
  virtual void on_answered() = 0;
  virtual void on_failed(const absl::Status& why) = 0;
  // Does what on_reply() brought say that the executor failed? Asked of processes on trial only.
  virtual bool answer_is_error() const { return false; }

  Asker asker() const { return asker_; }
  ServiceContext& context() { return context_; }
  const std::string& executor_name() const { return context_.executors.names()[executor_]; }

 private:
  // A process, or connection, that went away with the request. By value: its replica may be
  // another's place by the time somebody asks.
  struct Loss {
    std::size_t executor;
    std::uint32_t replica;
    std::string name;
    std::string address;
    std::int64_t pid;
    std::string why;  // as the connection saw it
  };
  const Replica& place_of(const Loss& loss) const {
    return *context_.executors.replicas(loss.executor)[loss.replica];
  }

  Balancer& balancer() { return context_.executors.balancer(executor_); }
  void on_done(const absl::Status& status) final;

  enum class Turn { Mine, InLine };
  void attempt(Turn turn);
  void wait(Balancer::Lack lack, Clock::time_point now);
  void start(Replica& replica, Clock::time_point now);
  void keep_request_for_retry();
  void leave_replica(Balancer::End how, std::string_view what = {});

  void set_timeout(std::optional<Clock::time_point> when);
  void on_timeout();
  void failed(const absl::Status& status);
  // A process on trial answered with an error: counts it, and asks another if that may be.
  bool tries_elsewhere();
  void retry();
  void give_up(absl::Status status, RetryVerdict verdict);
  bool cause_missing() const;
  // Ends the call with what is known by now.
  void fail();
  absl::Status failure() const;
  absl::Status in_words(const absl::Status& status, std::string_view detail) const;
  absl::Status nobody_ready() const;
  absl::Status no_room() const;

  ServiceContext& context_;
  const Asker asker_;
  std::uint64_t counted_elsewhere_ = 0;

  std::size_t executor_ = 0;
  std::string_view path_;
  std::string request_;  // framed, while no try runs
  std::optional<Clock::time_point> deadline_;
  Limit limit_ = Limit::Answer;
  RetryPolicy retry_;
  BufferBudget::Lease kept_;

  Balancer::Try try_;  // its replica is null while none runs
  Alarms::Alarm timeout_;
  Line::Place place_;
  std::optional<Clock::time_point> waiting_since_;

  // Of calls that failed: empty, and nothing allocated, for almost all.
  std::vector<Balancer::Failed> failed_;
  std::vector<Loss> losses_;
  std::optional<absl::Status> last_failure_;
  RetryVerdict verdict_ = RetryVerdict::OtherFailure;
};

}  // namespace flow::gateway
