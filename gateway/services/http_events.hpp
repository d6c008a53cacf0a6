// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>

#include "gateway/services/services.hpp"

namespace flow::gateway {

// A document sent to an endpoint that streams, and its answer as server-sent events: "update" for
// each document, then "end", or "error" with a status. The document is the body, as JSON, or is
// made of the query: ?text=hello&id=d1&parameters={"n":3}. Refuses what is no document (400, 415,
// 422) and gives nullptr, or gives what will respond.
std::unique_ptr<HttpHandler> open_event_stream(ServiceContext& context, std::string_view endpoint,
                                               std::string_view query, HttpRequest request,
                                               HttpExchange& exchange);

}  // namespace flow::gateway
