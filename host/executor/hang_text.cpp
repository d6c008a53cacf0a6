// SPDX-License-Identifier: Apache-2.0
#include "host/executor/hang_text.hpp"

#include "core/text.hpp"
#include "core/time_text.hpp"
#include "fmt/format.h"

namespace flow::host {
namespace {

double seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

std::string stuck_call_text(std::string_view request_id, std::string_view endpoint, Where where,
                            std::chrono::nanoseconds silent) {
  const std::string call =
      request_id.empty() ? "a call" : fmt::format("call {}", core::in_quotes(request_id));
  return fmt::format("{} at {} made no progress for {:.1f} s (hang_budget){}", call,
                     core::one_line(endpoint), seconds(silent),
                     where == Where::Pending
                         ? ": process() returned FLOW_PENDING, and no call_finish() followed"
                         : "");
}

std::string stuck_create_text(std::string_view plugin, std::chrono::nanoseconds timeout_ready) {
  return fmt::format("create() of plugin {} did not return within {} (timeout_ready)",
                     core::in_quotes(plugin), core::duration_text(timeout_ready));
}

std::string stuck_function_text(std::string_view function, std::string_view plugin,
                                std::chrono::nanoseconds silent, std::chrono::nanoseconds budget) {
  return fmt::format("{} of plugin {} has not returned for {:.1f} s, it has {}", function,
                     core::in_quotes(plugin), seconds(silent), core::duration_text(budget));
}

}  // namespace flow::host
