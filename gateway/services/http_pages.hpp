// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "gateway/front/service.hpp"

namespace flow::gateway {

// What GET of a path answers at once.
struct HttpPage {
  std::function<HttpResponse(std::string_view query, const HeaderFields& headers)> answer;
  // Load balancers probe with HEAD; where the reference answers 405 to it, so do we.
  bool head = false;
};

// By path.
using HttpPages = std::map<std::string, HttpPage, std::less<>>;

// `page`, or 304 without a body for a client that has it already. The tag is in its quotes.
HttpResponse unless_known(HttpResponse page, std::string_view tag, const HeaderFields& headers);

// A tag for content of which nothing is known but its bytes.
std::string content_tag(std::string_view content);

}  // namespace flow::gateway
