// SPDX-License-Identifier: Apache-2.0
#include "host/executor/status_text.hpp"

#include <array>

#include "core/text.hpp"

namespace flow::host {

std::string_view status_name(flow_status status) {
  constexpr std::array<std::string_view, 17> kNames = {"OK",
                                                       "CANCELLED",
                                                       "UNKNOWN",
                                                       "INVALID_ARGUMENT",
                                                       "DEADLINE_EXCEEDED",
                                                       "NOT_FOUND",
                                                       "ALREADY_EXISTS",
                                                       "PERMISSION_DENIED",
                                                       "RESOURCE_EXHAUSTED",
                                                       "FAILED_PRECONDITION",
                                                       "ABORTED",
                                                       "OUT_OF_RANGE",
                                                       "UNIMPLEMENTED",
                                                       "INTERNAL",
                                                       "UNAVAILABLE",
                                                       "DATA_LOSS",
                                                       "UNAUTHENTICATED"};
  const bool known = status >= 0 && static_cast<std::size_t>(status) < kNames.size();
  return kNames[static_cast<std::size_t>(known ? status : flow_status{FLOW_UNKNOWN})];
}

std::string valid_utf8(std::string text) {
  if (core::is_valid_utf8(text)) return text;
  for (std::size_t at = 0; at < text.size();) {
    const auto length = core::utf8_length(std::string_view(text).substr(at));
    if (length == 0) text[at] = '?';
    at += length == 0 ? 1 : length;
  }
  return text;
}

}  // namespace flow::host
