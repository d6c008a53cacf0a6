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

wire::WallTime wall_now() { return Clock::wall(); }

}  // namespace

absl::StatusOr<Admission::Place> take_place(ServiceContext& context, Admission::Kind kind) {
  if (Admission::Place place = context.admission.take(kind)) return place;
  return core::error(absl::StatusCode::kResourceExhausted,
                     fmt::format("{} requests are in flight, the limit is {} (max_in_flight in "
                                 "[gateway]); try again later",
                                 context.admission.taken(), context.config.gateway.max_in_flight));
}

std::optional<Clock::time_point> sooner_deadline(std::optional<Clock::time_point> deadline,
                                                 std::uint32_t timeout_ms) {
  if (timeout_ms == 0) return deadline;
  const Clock::time_point own = Clock::now() + std::chrono::milliseconds(timeout_ms);
  return std::min(own, deadline.value_or(own));
}

Traversal::Traversal(ServiceContext& context, Asker asker)
    : ExecutorCall(context, asker), route_(context.route) {}

absl::Status Traversal::admit() {
  if (asker() == Asker::Probe) return absl::OkStatus();
  FLOW_ASSIGN_OR_RETURN(place_,
                        take_place(context(), asker() == Asker::Stream ? Admission::Kind::Stream
                                                                       : Admission::Kind::Call));
  return absl::OkStatus();
}

void Traversal::start(std::string framed, std::optional<Clock::time_point> deadline, Done done) {
  done_ = std::move(done);
  if (absl::Status refused = admit(); !refused.ok()) return end(std::move(refused));
  counted_elsewhere(framed.size());
  Route::Step step = route_.start(std::move(framed), wall_now());
  deadline_ = sooner_deadline(deadline, route_.timeout_ms());
  perform(std::move(step));
}

void Traversal::perform(Route::Step step) {
  if (auto* send = std::get_if<Route::Send>(&step)) {
    ask(send->executor, kProcessPath, route_.asked_endpoint(), std::move(send->framed), deadline_,
        Limit::Answer);
  } else if (auto* answer = std::get_if<Route::Answer>(&step)) {
    end(std::move(answer->framed));
  } else {
    end(std::get<Route::Fail>(step).status);
  }
}

bool Traversal::answer_is_error() const {
  const auto view = wire::scan_data_request(answer_ ? wire::payload(*answer_) : "");
  return !view.ok() || view->is_error();
}

void Traversal::on_answered() {
  if (!answer_) {
    return end(
        core::error(absl::StatusCode::kInternal,
                    fmt::format("executor \"{}\" answered without a message", executor_name())));
  }
  perform(route_.on_answer(*std::exchange(answer_, std::nullopt), wall_now()));
}

// The caller may take its time to take the answer: it holds up no other request by that.
void Traversal::end(absl::StatusOr<std::string> result) {
  place_ = {};
  // Last, and from a place of its own: it may destroy this.
  const Done done = std::exchange(done_, nullptr);
  done(std::move(result));
}

}  // namespace flow::gateway
