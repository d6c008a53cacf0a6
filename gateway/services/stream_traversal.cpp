// SPDX-License-Identifier: Apache-2.0
#include "gateway/services/stream_traversal.hpp"

#include <chrono>
#include <utility>

#include "core/status.hpp"
#include "fmt/format.h"
#include "gateway/services/traversal.hpp"
#include "wire/single_document.hpp"

namespace flow::gateway {
namespace {

constexpr std::string_view kProcessPath = "/jina.JinaSingleDataRequestRPC/process_single_data";
constexpr std::string_view kStreamPath = "/jina.JinaSingleDocumentRequestRPC/stream_doc";

wire::WallTime wall_now() { return Clock::wall(); }

}  // namespace

StreamTraversal::StreamTraversal(ServiceContext& context)
    : ExecutorCall(context, Asker::Caller), route_(context.route) {}

void StreamTraversal::start(std::string framed, std::optional<Clock::time_point> deadline,
                            Listener& listener) {
  listener_ = &listener;
  auto place = take_place(context(), Admission::Kind::Call);
  if (!place.ok()) return end(place.status());
  place_ = *std::move(place);
  const absl::StatusOr<std::string> request = wire::data_request_of(wire::payload(framed));
  if (!request.ok()) return end(request.status());
  counted_elsewhere(framed.size());
  Route::Step step = route_.start(*request, wall_now());
  deadline_ = sooner_deadline(deadline, route_.timeout_ms());
  perform(std::move(step));
}

void StreamTraversal::perform(Route::Step step) {
  if (auto* send = std::get_if<Route::Send>(&step)) {
    perform_send(*send);
  } else if (auto* answer = std::get_if<Route::Answer>(&step)) {
    perform_answer(answer->framed);
  } else {
    end(std::get<Route::Fail>(step).status);
  }
}

void StreamTraversal::perform_send(Route::Send& send) {
  if (!route_.is_last()) {
    return ask(send.executor, kProcessPath, route_.asked_endpoint(), std::move(send.framed),
               deadline_, Limit::Answer);
  }
  absl::StatusOr<std::string> request = wire::single_document_of(wire::payload(send.framed));
  if (!request.ok()) return end(request.status());
  streaming_ = true;
  ask(send.executor, kStreamPath, route_.asked_endpoint(), *std::move(request), deadline_,
      Limit::NextPart);
}

void StreamTraversal::perform_answer(std::string_view framed) {
  absl::StatusOr<std::string> part = wire::single_document_of(wire::payload(framed));
  if (part.ok()) listener_->on_part(*std::move(part));
  end(part.status());
}

void StreamTraversal::on_reply(std::string framed) {
  if (!streaming_) {
    answer_ = std::move(framed);
    return;
  }
  absl::StatusOr<std::string> part = part_of(std::move(framed));
  if (!part.ok()) {
    cancel();
    return end(part.status());
  }
  passed_part_on();
  wait_for_executor();
  listener_->on_part(*std::move(part));
}

bool StreamTraversal::wants_reply() {
  if (!streaming_ || listener_->wants_part()) return true;
  held_back_ = true;
  wait_for_caller();
  return false;
}

void StreamTraversal::part_wanted() {
  if (!held_back_ || !running() || !listener_->wants_part()) return;
  held_back_ = false;
  wait_for_executor();
  reply_wanted();
}

void StreamTraversal::on_answered() {
  if (streaming_) return end(absl::OkStatus());
  if (!answer_) {
    return end(
        core::error(absl::StatusCode::kInternal,
                    fmt::format("executor \"{}\" answered without a message", executor_name())));
  }
  perform(route_.on_answer(*std::exchange(answer_, std::nullopt), wall_now()));
}

// Almost always it goes on as it is. The reference's gateway adds no routes to a stream either.
absl::StatusOr<std::string> StreamTraversal::part_of(std::string framed) const {
  const auto view = wire::scan_data_request(wire::payload(framed));
  if (!view.ok()) {
    return core::error(absl::StatusCode::kInternal,
                       fmt::format("executor \"{}\" streamed something else than a "
                                   "SingleDocumentRequestProto: {}",
                                   executor_name(), core::message(view.status())));
  }
  if (view->request_id == route_.request_id()) return framed;
  return wire::caller_response(*view, route_.request_id(), route_.endpoint(), {});
}

void StreamTraversal::end(const absl::Status& status) {
  place_ = {};
  const absl::Status copy = status;  // it may be on its way out with this
  listener_->on_done(copy);
}

}  // namespace flow::gateway
