// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/status.h"

namespace flow::gateway {

// Which HTTP status tells which failure of a request: here and nowhere else. An executor that fails
// is no failure of the request: its answer says so, with 200.
constexpr int http_status(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return 200;
    case absl::StatusCode::kInvalidArgument:
      return 400;  // its JSON was right (else 422), what it asks for is not
    case absl::StatusCode::kResourceExhausted:
      return 429;  // with "retry-after"
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kNotFound:
      return 503;  // as in the reference, whose clients take both for a lost connection
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

}  // namespace flow::gateway
