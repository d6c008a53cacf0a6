// SPDX-License-Identifier: Apache-2.0
#include "client/src/posting.hpp"

#include <algorithm>
#include <random>
#include <ranges>
#include <thread>
#include <utility>

#include "client/src/convert.hpp"
#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"

namespace flow::client {

Posting::Posting(std::shared_ptr<Line> line, std::string endpoint, DocumentSource documents,
                 Json::Object parameters, const PostOptions& options)
    : line_(std::move(line)),
      endpoint_(std::move(endpoint)),
      parameters_(std::move(parameters)),
      options_(options),
      deadline_(deadline_after(options.timeout)),
      retry_(line_->retry, line_->budget, std::random_device{}()),
      splitter_(std::move(documents), options.request_size),
      exchange_(line_->transport->open_exchange(
          {std::max<std::size_t>(1, options.prefetch), options.results_in_order})) {}

std::optional<Response> Posting::next() {
  while (true) {
    if (auto response = take_finished()) return response;
    send_while_there_is_room();
    if (!waiting_.empty()) {
      receive();
    } else if (!again_.empty()) {
      std::this_thread::sleep_until(again_at_);
    } else if (finished_.empty()) {
      return std::nullopt;
    }
  }
}

std::optional<Response> Posting::take_finished() {
  if (finished_.empty()) return std::nullopt;
  const auto first = finished_.begin();
  if (options_.results_in_order && first->first != delivered_) return std::nullopt;
  ++delivered_;
  Response response = std::move(first->second);
  finished_.erase(first);
  return response;
}

void Posting::send_while_there_is_room() {
  while (waiting_.size() + finished_.size() < exchange_->window()) {
    std::optional<Request> request = next_request();
    if (!request) return;
    send(*std::move(request));
  }
}

std::optional<Posting::Request> Posting::next_request() {
  if (again_.empty()) return make_request();
  if (Clock::now() < again_at_) return std::nullopt;
  Request request = std::move(again_.front());
  again_.pop_front();
  return request;
}

std::optional<Posting::Request> Posting::make_request() {
  std::optional<std::vector<Document>> documents = splitter_.next();
  if (!documents) return std::nullopt;
  Request request{.index = made_++,
                  .message = {},
                  .deadline = std::min(deadline_, deadline_after(options_.request_timeout))};
  auto& header = *request.message.mutable_header();
  header.set_request_id(make_id());
  header.set_exec_endpoint(endpoint_);
  if (!options_.target_executor.empty()) header.set_target_executor(options_.target_executor);
  auto& to = *request.message.mutable_data()->mutable_docs();
  absl::Status status = parameters_.empty()
                            ? absl::OkStatus()
                            : to_proto(parameters_, *request.message.mutable_parameters());
  for (std::size_t i = 0; i < documents->size() && status.ok(); ++i) {
    Document& document = (*documents)[i];
    if (document.id.empty()) document.id = make_id();
    status = core::with_context(to_proto(std::move(document), *to.add_docs()),
                                fmt::format("document {} of the request", i));
  }
  if (status.ok()) return request;
  finish(std::move(request), std::move(status));
  return std::nullopt;  // the next call makes the next
}

void Posting::send(Request request) {
  const Deadline now = Clock::now();
  if (request.deadline <= now) {
    return finish(std::move(request),
                  core::error(absl::StatusCode::kDeadlineExceeded,
                              fmt::format("the time-out of {} was over before it was sent",
                                          seconds_text(options_.timeout))));
  }
  // What is left of it travels along, so that nobody works for an answer that nobody awaits.
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(request.deadline - now);
  request.message.mutable_header()->set_timeout(
      static_cast<std::uint32_t>(std::clamp<std::int64_t>(left.count(), 1, 0xffff'ffff)));
  ++request.attempts;
  waiting_.push_back(std::move(request));
  const absl::Status status = exchange_->send(waiting_.back().message, waiting_.back().deadline);
  if (!status.ok()) lose_waiting(status);
}

void Posting::receive() {
  const Deadline soonest = std::ranges::min(waiting_, {}, &Request::deadline).deadline;
  auto answer = exchange_->receive(soonest);
  if (!answer) return expire(soonest);
  if (!answer->ok()) return lose_waiting(answer->status());
  accept(**std::move(answer));
}

void Posting::accept(jina::DataRequestProto&& answer) {
  auto request = std::ranges::find_if(waiting_, [&](const Request& each) {
    return each.message.header().request_id() == answer.header().request_id();
  });
  if (request == waiting_.end() && abandoned_.erase(answer.header().request_id()) != 0) return;
  // Where one waits the answer is to it, whatever name the server gives it: HTTP has new ids.
  if (request == waiting_.end() && exchange_->window() == 1) request = waiting_.begin();
  if (request == waiting_.end()) {
    return lose_waiting(
        core::error(absl::StatusCode::kInternal,
                    fmt::format("the server answered request {}, which was never sent",
                                core::in_quotes(answer.header().request_id()))));
  }
  Request answered = std::move(*request);
  waiting_.erase(request);
  line_->budget.earn();
  finish(std::move(answered), response_from(std::move(answer)));
}

void Posting::expire(Deadline now) {
  for (auto each = waiting_.begin(); each != waiting_.end();) {
    if (each->deadline > now) {
      ++each;
      continue;
    }
    Request request = std::move(*each);
    each = waiting_.erase(each);
    if (exchange_->window() > 1) abandoned_.insert(request.message.header().request_id());
    const Duration allowed = std::min(options_.timeout, options_.request_timeout);
    finish(std::move(request),
           core::error(absl::StatusCode::kDeadlineExceeded,
                       fmt::format("no answer within {}", seconds_text(allowed))));
  }
}

void Posting::lose_waiting(const absl::Status& status) {
  const Deadline now = Clock::now();
  abandoned_.clear();
  std::deque<Request> lost = std::exchange(waiting_, {});
  if (lost.empty()) return;
  // They were lost together: one wait, and one piece of the budget, for all of them.
  const auto attempts = std::ranges::max(lost, {}, &Request::attempts).attempts;
  const Deadline deadline = std::ranges::min(lost, {}, &Request::deadline).deadline;
  const auto at = retry_.after_failure(status, attempts, now, deadline);
  if (at) {
    again_at_ = *at;
    std::ranges::move(again_, std::back_inserter(lost));
    again_ = std::move(lost);
    return;
  }
  for (Request& request : lost) finish(std::move(request), status);
}

void Posting::finish(Request request, Response response) {
  response.index = request.index;
  if (response.request_id.empty()) {
    response.request_id = request.message.header().request_id();
  }
  if (!response.status.ok()) response.status = core::with_context(response.status, line_->url);
  finished_.emplace(request.index, std::move(response));
}

void Posting::finish(Request request, absl::Status status) {
  Response response;
  response.status = std::move(status);
  finish(std::move(request), std::move(response));
}

}  // namespace flow::client
