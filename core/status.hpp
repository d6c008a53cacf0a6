// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Returns a failed absl::Status from the calling function.
#define FLOW_RETURN_IF_ERROR(expression)                                \
  do {                                                                  \
    if (absl::Status flow_status_ = (expression); !flow_status_.ok()) { \
      return flow_status_;                                              \
    }                                                                   \
  } while (false)

// FLOW_ASSIGN_OR_RETURN(auto value, function_of_status_or());
#define FLOW_ASSIGN_OR_RETURN(declaration, expression) \
  FLOW_ASSIGN_OR_RETURN_(FLOW_CONCAT_(flow_result_, __LINE__), declaration, expression)
#define FLOW_ASSIGN_OR_RETURN_(result, declaration, expression) \
  auto result = (expression);                                   \
  if (!result.ok()) return std::move(result).status();          \
  declaration = *std::move(result)
#define FLOW_CONCAT_(a, b) FLOW_CONCAT_INNER_(a, b)
#define FLOW_CONCAT_INNER_(a, b) a##b

namespace flow::core {

// Debian's abseil has a string_view of its own; these two are the only places that notice. Messages
// are put together with fmt::format.
inline std::string_view message(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}
inline absl::Status error(absl::StatusCode code, std::string_view text) {
  return {code, absl::string_view(text.data(), text.size())};
}

// The same status with "context: " before its message. Context is added once per layer.
absl::Status with_context(const absl::Status& status, std::string_view context);

// The status for a failed system call: "what: strerror(error_number)".
absl::Status system_error(int error_number, std::string_view what);

}  // namespace flow::core
