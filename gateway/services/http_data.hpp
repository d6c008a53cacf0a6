// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>

#include "gateway/services/services.hpp"
#include "wire/json_reader.hpp"

namespace flow::gateway {

// Which endpoint a path stands for, and whether the request may name another.
struct HttpDataPath {
  std::string_view endpoint;
  wire::JsonRequestOptions::Endpoint endpoint_is;
};

// A data request as JSON and its answer: POST /post and its kin. Refuses what is no such request
// (415, 400, 422) and gives nullptr, or gives what will respond.
std::unique_ptr<HttpHandler> open_data_request(ServiceContext& context, HttpDataPath path,
                                               HttpRequest request, HttpExchange& exchange);

}  // namespace flow::gateway
