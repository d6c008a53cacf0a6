// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "flow/client.hpp"

namespace flow::ctl {

// What `flowctl post` sends.
struct PostRequest {
  std::string endpoint;
  std::string target_executor;
  std::vector<Document> documents;
  Json::Object parameters;
};

// "grpc://host:1/index" as its url and its endpoint, "/" if it has none.
struct PostTarget {
  std::string url;
  std::string endpoint;
};
PostTarget split_endpoint(std::string_view text);

// The body of a POST /post, or a list of documents.
absl::StatusOr<PostRequest> read_request(std::string_view json);
absl::StatusOr<Json::Object> read_parameters(std::string_view json);

// An answer as POST /post gives it.
absl::StatusOr<std::string> response_json(const Response& response, std::string_view endpoint);

}  // namespace flow::ctl
