// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "wire/data_request.hpp"

namespace re2 {
class RE2;
}

namespace flow::gateway {

// What a route needs to know about the Flow it goes through.
struct RouteContext {
  const std::vector<std::string>& executors;  // names, in the order of the graph
  std::function<bool(std::size_t executor, std::string_view endpoint)> serves;
  std::function<std::string()> new_request_id;
};

// One data request on its way through the executors: a machine that is told of answers, with times,
// and says what is to be done next. It knows no connection and no clock. Confined to its loop.
class Route {
 public:
  // Send `framed` to an executor, then call on_answer().
  struct Send {
    std::size_t executor;
    std::string framed;
  };
  // Done: this is for the caller.
  struct Answer {
    std::string framed;
  };
  // Done: this is what went wrong.
  struct Fail {
    absl::Status status;
  };
  using Step = std::variant<Send, Answer, Fail>;

  explicit Route(const RouteContext& context);
  ~Route();

  // The caller's request, framed.
  Step start(std::string framed, wire::WallTime now);
  // The answer of the executor that was sent to last.
  Step on_answer(std::string framed, wire::WallTime now);

  // Does nobody come after the executor that was sent to last, unless something fails?
  bool is_last() const;

  // The caller's own limit for the whole of it, from the request's header; 0: none.
  std::uint32_t timeout_ms() const { return timeout_ms_; }
  // The caller's, or one that was made for it; empty if the request cannot be read.
  const std::string& request_id() const { return request_id_; }
  // What it is to be done, "/" if the caller does not say.
  std::string_view asked_endpoint() const;
  std::optional<std::string_view> endpoint() const {
    return endpoint_ ? std::optional<std::string_view>(*endpoint_) : std::nullopt;
  }

 private:
  struct Hop {
    std::size_t executor;
    wire::WallTime start;
    std::optional<wire::WallTime> end;

    bool answered() const { return end.has_value(); }
  };

  absl::Status scan();
  absl::Status set_target(std::string_view pattern);
  // Is a request sent to this executor, or does it pass it over?
  bool calls(std::size_t executor) const;
  Step proceed(wire::WallTime now);
  Step answer(wire::WallTime now);

  const RouteContext& context_;
  std::string message_;         // framed: what travels at the moment
  wire::DataRequestView view_;  // of message_; its data and parameters dangle while it is underway
  std::string request_id_;
  std::optional<std::string> endpoint_;
  std::unique_ptr<re2::RE2> target_;
  std::uint32_t timeout_ms_ = 0;
  wire::WallTime started_;
  std::size_t next_ = 0;
  std::vector<Hop> hops_;
};

}  // namespace flow::gateway
