// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "gateway/front/service.hpp"

// What requests with JSON have in common, whichever way they are answered.
namespace flow::gateway {

// The answer to a request whose header says that we need not look at its body; nullopt: we need.
std::optional<HttpResponse> refuse(const HeaderFields& headers, bool has_body);

// The client's own limit, from grpc-timeout, which refuse() has seen.
std::optional<Clock::time_point> deadline_of(const HeaderFields& headers);

// The answer to a request that failed: status and fields. Its body says why in a few words.
HttpResponse http_failure(const absl::Status& why);

}  // namespace flow::gateway
