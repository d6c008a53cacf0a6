// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/executors/endpoints.hpp"
#include "gateway/services/http_pages.hpp"

namespace flow::gateway {

// Adds GET /openapi.json, made anew when the endpoints have changed, and the pages that show it:
// /docs with what it is made of, and /redoc, which leads there. `endpoints` outlives the pages;
// `title` is the Flow's name.
void add_docs_pages(const Endpoints& endpoints, std::string title, HttpPages& pages);

}  // namespace flow::gateway
