// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "gateway/executors/endpoints.hpp"

namespace flow::gateway {

// What GET /openapi.json answers: OpenAPI 3.1 of everything the gateway serves over HTTP, with a
// path for each endpoint and its schemas as the executors tell them. Of an endpoint that several
// executors serve, the input is the first one's, the output the last one's. The same endpoints give
// the same bytes. `title` is the Flow's name.
std::string openapi_document(const Endpoints& endpoints, std::string_view title);

}  // namespace flow::gateway
