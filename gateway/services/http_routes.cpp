// SPDX-License-Identifier: Apache-2.0
#include "gateway/services/http_routes.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "core/text.hpp"
#include "fmt/format.h"
#include "gateway/services/services.hpp"

namespace flow::gateway {
namespace {

std::string json_object(const std::map<std::string, std::string>& members) {
  std::string text;
  for (const auto& [key, value] : members) {
    if (!text.empty()) text += ',';
    text += fmt::format(R"("{}":"{}")", core::escape_json(key), core::escape_json(value));
  }
  return "{" + text + "}";
}

// Does a query, "a=1&verbose", name this flag, with or without a value other than 0?
bool has_flag(std::string_view query, std::string_view flag) {
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), part.size() + 1));
    if (!part.starts_with(flag)) continue;
    const std::string_view rest = part.substr(flag.size());
    if (rest.empty() || (rest[0] == '=' && rest != "=0" && rest != "=false")) return true;
  }
  return false;
}

std::string_view query_of(std::string_view target) {
  const std::size_t question = target.find('?');
  return question == std::string_view::npos ? "" : target.substr(question + 1);
}

// GET /dry_run?deep=1
class DeepDryRunHandler final : public HttpHandler {
 public:
  DeepDryRunHandler(DeepDryRun& run, int failure_status, HttpExchange& exchange) : question_(run) {
    question_.ask([failure_status, &exchange](const DryRunAnswer& answer) {
      exchange.respond({.status = answer.success ? 200 : failure_status, .body = answer.json});
    });
  }

 private:
  DeepDryRun::Question question_;
};

}  // namespace

std::unique_ptr<HttpHandler> Routes::open(HttpRequest request, HttpExchange& exchange) {
  if (request.method == "GET" && request.target.starts_with("/dry_run?") &&
      has_flag(query_of(request.target), "deep")) {
    return std::make_unique<DeepDryRunHandler>(deep_dry_run_, config_.http_dry_run_status,
                                               exchange);
  }
  exchange.respond(answer(request));
  return nullptr;
}

HttpResponse Routes::answer(const HttpRequest& request) const {
  const std::size_t question = request.target.find('?');
  const std::string_view path = request.target.substr(0, question);
  const std::string_view query = query_of(request.target);
  // Load balancers probe with HEAD; where the reference answers 405 to it, so do we.
  const bool probe = path == "/livez" || path == "/readyz";

  constexpr std::array<std::string_view, 6> kPaths = {"/",      "/dry_run", "/executors",
                                                      "/livez", "/readyz",  "/status"};
  if (std::ranges::find(kPaths, path) == kPaths.end()) {
    return {.status = 404, .body = R"({"detail":"Not Found"})"};
  }
  if (request.method != "GET" && !(probe && request.method == "HEAD")) {
    return {.status = 405,
            .body = R"({"detail":"Method Not Allowed"})",
            .headers = {{"allow", probe ? "GET, HEAD" : "GET"}}};
  }
  const Verdict& verdict = readiness_.verdict();
  if (path == "/dry_run") {
    return {.status = verdict.ready ? 200 : config_.http_dry_run_status,
            .body = verdict.dry_run_json};
  }
  if (path == "/readyz") {
    return {.status = verdict.ready ? 200 : 503,
            .body = has_flag(query, "verbose") ? verdict.readyz_verbose : verdict.readyz_json};
  }
  if (path == "/livez") return {.body = R"({"live":true})"};
  if (path == "/executors") return {.body = report_()};
  if (path == "/status") {
    return {.body = fmt::format(R"({{"jina":{},"envs":{}}})", json_object(version_info()),
                                json_object(environment_info()))};
  }
  return {.body = "{}"};
}

}  // namespace flow::gateway
