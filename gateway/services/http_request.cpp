// SPDX-License-Identifier: Apache-2.0
#include "gateway/services/http_request.hpp"

#include <string>
#include <string_view>

#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"
#include "gateway/front/http_detail.hpp"
#include "gateway/services/http_status.hpp"
#include "wire/grpc.hpp"

namespace flow::gateway {
namespace {

// "Application/JSON; charset=utf-8" without its parameters.
std::string media_type(std::string_view content_type) {
  const std::string type = core::lower_case(content_type.substr(0, content_type.find(';')));
  const std::size_t first = type.find_first_not_of(" \t");
  if (first == std::string::npos) return "";
  return type.substr(first, type.find_last_not_of(" \t") + 1 - first);
}

// May the body be read as JSON? Clients that do not say what it is are believed to mean JSON, and
// so is curl, which calls everything a form. A web page is not: a browser sends forms and plain
// text to other origins without asking them first, and that question is what `cors = false` says no
// to.
bool may_be_json(const HeaderFields& headers) {
  const std::string type = media_type(headers.get("content-type"));
  if (type == "application/json") return true;
  if (type.starts_with("application/") && type.ends_with("+json")) return true;
  return headers.get("origin").empty() &&
         (type.empty() || type == "application/x-www-form-urlencoded" || type == "text/plain");
}

}  // namespace

std::optional<HttpResponse> refuse(const HeaderFields& headers, bool has_body) {
  if (has_body && !may_be_json(headers)) {
    return http_detail(415, fmt::format("content-type \"{}\" is not supported; send JSON as "
                                        "\"application/json\"",
                                        headers.get("content-type")));
  }
  const std::string_view coding = headers.get("content-encoding");
  if (!coding.empty() && core::lower_case(coding) != "identity") {
    HttpResponse response = http_detail(
        415,
        fmt::format("content-encoding \"{}\" is not supported; send the body as it is", coding));
    response.headers = {{"accept-encoding", "identity"}};
    return response;
  }
  const std::string_view timeout = headers.get("grpc-timeout");
  if (!timeout.empty() && !wire::parse_timeout(timeout)) {
    return http_detail(
        400,
        fmt::format("grpc-timeout \"{}\" is none; \"500m\" and \"2S\" are half a second and two",
                    timeout));
  }
  return std::nullopt;
}

std::optional<Clock::time_point> deadline_of(const HeaderFields& headers) {
  const auto timeout = wire::parse_timeout(headers.get("grpc-timeout"));
  if (!timeout) return std::nullopt;
  return Clock::now() + *timeout;
}

HttpResponse http_failure(const absl::Status& why) {
  HttpResponse response = http_detail(http_status(why.code()), core::message(why));
  if (response.status == 429) response.headers = {{"retry-after", "1"}};
  return response;
}

}  // namespace flow::gateway
