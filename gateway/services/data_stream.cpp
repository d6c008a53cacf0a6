// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <utility>

#include "core/limits.hpp"
#include "core/status.hpp"
#include "gateway/services/error_answer.hpp"
#include "gateway/services/prefetch.hpp"
#include "gateway/services/services.hpp"
#include "gateway/services/traversal.hpp"
#include "wire/data_request.hpp"
#include "wire/grpc.hpp"

namespace flow::gateway {

namespace limits = core::limits;

namespace {

// Executors are told how long a caller waits, and notice by gRPC's timers, which count milliseconds
// and round: some of them a little before us. Generous, because a stream that ends so much
// before its time would have had nothing else to say.
constexpr auto kTimersDiffer = std::chrono::milliseconds(10);

// jina.JinaRPC/Call: each message is a request of its own, and answered as soon as its answer is
// there, or in the order of arrival if the caller wants that. What this stream may have underway is
// bounded in requests, in bytes and by the places that the gateway has; beyond that its caller is
// held back.
//
// A request that fails is answered in band and the stream goes on: see
// docs/decisions/0017-failed-requests-of-a-stream.md. The reference's Python client raises
// BadServer for each answer whose header says ERROR, so it notices this as well as the end of the
// stream.
class DataStream final : public GrpcHandler {
 public:
  DataStream(ServiceContext& context, GrpcCall& call)
      : context_(context),
        call_(call),
        in_order_(call.metadata().get("__results_in_order__") == "true"),
        prefetch_(
            prefetch_of(call.metadata().get("__prefetch__"), context.config.gateway.prefetch)),
        waiter_(context.admission, [this] { call_.input_wanted(); }) {}

  bool streaming() const override { return true; }

  bool wants_message() override {
    return !draining_ && requests_.size() < prefetch_ && held_ <= limits::kStreamHeldMax &&
           waiter_.may_take();
  }

  void on_message(std::string framed) override {
    const auto request = requests_.emplace(requests_.end(), context_);
    if (!hold(*request, framed.size())) {
      return answered(request, error_answer(wire::find_request_id(wire::payload(framed)),
                                            too_much(), context_.readiness.verdict()));
    }
    request->traversal.start(
        std::move(framed), call_.deadline(), [this, request](absl::StatusOr<std::string> answer) {
          if (is_time_of_stream(answer.status())) return call_.finish(answer.status());
          answered(request, answer.ok()
                                ? *std::move(answer)
                                : error_answer(request->traversal.request_id(), answer.status(),
                                               context_.readiness.verdict()));
        });
  }

  void on_end() override {
    ended_ = true;
    proceed();
  }

  void on_drain() override {
    draining_ = true;
    proceed();
  }

 private:
  struct Request {
    explicit Request(ServiceContext& context) : traversal(context, Traversal::Asker::Stream) {}
    Traversal traversal;
    std::uint64_t held = 0;             // bytes of the request, later of the answer
    std::optional<std::string> answer;  // waits for those before it
  };
  using Requests = std::list<Request>;

  static absl::Status too_much() {
    return core::error(absl::StatusCode::kResourceExhausted,
                       "the gateway holds as many message bytes as it may; try again");
  }

  // A caller whose time is up is told that by the end of the stream, whoever of us notices first.
  bool is_time_of_stream(const absl::Status& failure) const {
    return absl::IsDeadlineExceeded(failure) && call_.deadline() &&
           Clock::now() + kTimersDiffer >= *call_.deadline();
  }

  bool hold(Request& request, std::uint64_t bytes) {
    if (!call_.hold(bytes)) return false;
    request.held = bytes;
    held_ += bytes;
    return true;
  }

  void let_go(Request& request) {
    call_.let_go(request.held);
    held_ -= std::exchange(request.held, 0);
  }

  void answered(Requests::iterator request, std::string framed) {
    let_go(*request);
    if (!in_order_ || request == requests_.begin()) {
      send(request, std::move(framed));
      while (!requests_.empty() && requests_.front().answer) {
        let_go(requests_.front());
        send(requests_.begin(), *std::move(requests_.front().answer));
      }
    } else if (hold(*request, framed.size())) {
      request->answer = std::move(framed);
    } else {
      request->answer =
          error_answer(request->traversal.request_id(), too_much(), context_.readiness.verdict());
    }
    proceed();
  }

  void send(Requests::iterator request, std::string framed) {
    requests_.erase(request);
    call_.send(std::move(framed));
  }

  void proceed() {
    if (!requests_.empty() || (!ended_ && !draining_)) return call_.input_wanted();
    call_.finish(ended_ ? absl::OkStatus() : stopping());
  }

  ServiceContext& context_;
  GrpcCall& call_;
  const bool in_order_;
  const std::size_t prefetch_;
  Admission::Waiter waiter_;
  std::uint64_t held_ = 0;
  bool ended_ = false;
  bool draining_ = false;
  Requests requests_;  // in the order of arrival
};

}  // namespace

std::unique_ptr<GrpcHandler> make_data_stream(ServiceContext& context, GrpcCall& call) {
  return std::make_unique<DataStream>(context, call);
}

}  // namespace flow::gateway
