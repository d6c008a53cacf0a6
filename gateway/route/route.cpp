// SPDX-License-Identifier: Apache-2.0
#include "gateway/route/route.hpp"

#include <algorithm>
#include <utility>

#include "core/status.hpp"
#include "fmt/format.h"
#include "re2/re2.h"
#include "wire/grpc.hpp"

namespace flow::gateway {
namespace {

// A pattern comes from a caller: its automaton gets this much memory and no more.
constexpr std::int64_t kPatternMemoryMax = 256 << 10;
// What a request asks for that names no endpoint.
constexpr std::string_view kDefaultEndpoint = "/";
constexpr std::string_view kGatewayName = "gateway";

}  // namespace

Route::Route(const RouteContext& context) : context_(context) {}
Route::~Route() = default;

absl::Status Route::scan() {
  absl::StatusOr<wire::DataRequestView> view = wire::scan_data_request(wire::payload(message_));
  if (!view.ok()) {
    FLOW_ASSIGN_OR_RETURN(const std::string canonical,
                          wire::canonicalise_data_request(wire::payload(message_)));
    message_ = wire::frame(canonical);
    view = wire::scan_data_request(wire::payload(message_));
    if (!view.ok()) return view.status();
  }
  view_ = *view;
  return absl::OkStatus();
}

absl::Status Route::set_target(std::string_view pattern) {
  if (pattern.empty()) return absl::OkStatus();
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kPatternMemoryMax);
  target_ = std::make_unique<re2::RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (target_->ok()) return absl::OkStatus();
  return core::error(absl::StatusCode::kInvalidArgument,
                     fmt::format("target_executor \"{}\" is not a regular expression: {}", pattern,
                                 target_->error()));
}

Route::Step Route::start(std::string framed, wire::WallTime now) {
  started_ = now;
  message_ = std::move(framed);
  if (const absl::Status status = scan(); !status.ok()) {
    request_id_ = wire::find_request_id(wire::payload(message_));
    return Fail{status};
  }
  view_.status = {};  // a request has none, whatever its sender left in it
  request_id_ = view_.request_id.empty() ? context_.new_request_id() : view_.request_id;
  if (const absl::Status status = set_target(view_.target_executor); !status.ok()) {
    return Fail{status};
  }
  if (view_.exec_endpoint) endpoint_ = *view_.exec_endpoint;
  timeout_ms_ = view_.timeout_ms;
  return proceed(now);
}

std::string_view Route::asked_endpoint() const { return endpoint().value_or(kDefaultEndpoint); }

bool Route::calls(std::size_t executor) const {
  const std::string& name = context_.executors[executor];
  const bool targeted =
      !target_ || target_->Match(name, 0, name.size(), re2::RE2::ANCHOR_START, nullptr, 0);
  return targeted && context_.serves(executor, asked_endpoint());
}

bool Route::is_last() const {
  for (std::size_t executor = next_; executor < context_.executors.size(); ++executor) {
    if (calls(executor)) return false;
  }
  return true;
}

Route::Step Route::proceed(wire::WallTime now) {
  for (; next_ < context_.executors.size(); ++next_) {
    hops_.push_back({next_, now, std::nullopt});
    if (!calls(next_)) continue;  // passed over: its route has no end
    // What the caller sent goes on as it is whenever there is nothing in it to hide.
    const bool untouched = view_.canonical && std::ranges::none_of(hops_, &Hop::answered);
    return Send{next_++, untouched ? std::move(message_)
                                   : wire::executor_request(view_, request_id_, endpoint())};
  }
  return answer(now);
}

Route::Step Route::on_answer(std::string framed, wire::WallTime now) {
  Hop& hop = hops_.back();
  hop.end = now;
  message_ = std::move(framed);
  if (const absl::Status status = scan(); !status.ok()) {
    return Fail{core::error(absl::StatusCode::kInternal,
                            fmt::format("executor \"{}\" answered with something else than a "
                                        "DataRequestProto: {}",
                                        context_.executors[hop.executor], core::message(status)))};
  }
  // The rest of the path is not for a request that failed.
  if (view_.is_error()) return answer(now);
  return proceed(now);
}

Route::Step Route::answer(wire::WallTime now) {
  std::vector<wire::RouteEntry> routes;
  routes.reserve(hops_.size() + 1);
  routes.push_back({kGatewayName, started_, now});
  for (const Hop& hop : hops_) {
    routes.push_back({context_.executors[hop.executor], hop.start, hop.end});
  }
  if (view_.is_error() && !hops_.empty()) routes.back().status = view_.status;
  return Answer{wire::caller_response(view_, request_id_, endpoint(), routes)};
}

}  // namespace flow::gateway
