// SPDX-License-Identifier: Apache-2.0
#include "gateway/services/http_routes.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "core/text.hpp"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "gateway/front/http_detail.hpp"
#include "gateway/services/executors_report.hpp"
#include "gateway/services/http_docs.hpp"
#include "gateway/services/http_events.hpp"
#include "gateway/services/http_paths.hpp"

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

void add_probes(const ServiceContext& context, HttpPages& pages) {
  using Fields = const HeaderFields&;
  pages["/"].answer = [](std::string_view, Fields) { return HttpResponse{.body = "{}"}; };
  pages["/dry_run"].answer = [&context](std::string_view, Fields) {
    const Verdict& verdict = context.readiness.verdict();
    return HttpResponse{.status = verdict.ready ? 200 : context.config.gateway.http_dry_run_status,
                        .body = verdict.dry_run_json};
  };
  pages["/executors"].answer = [&context](std::string_view, Fields) {
    return HttpResponse{.body = executors_report(context.executors, context.readiness.verdict(),
                                                 {Clock::now(), Clock::wall()})};
  };
  pages["/livez"] = {
      .answer = [](std::string_view, Fields) { return HttpResponse{.body = R"({"live":true})"}; },
      .head = true};
  pages["/readyz"] = {.answer =
                          [&context](std::string_view query, Fields) {
                            const Verdict& verdict = context.readiness.verdict();
                            return HttpResponse{.status = verdict.ready ? 200 : 503,
                                                .body = has_flag(query, "verbose")
                                                            ? verdict.readyz_verbose
                                                            : verdict.readyz_json};
                          },
                      .head = true};
  pages["/status"].answer = [](std::string_view, Fields) {
    return HttpResponse{.body =
                            fmt::format(R"({{"jina":{},"envs":{}}})", json_object(version_info()),
                                        json_object(environment_info()))};
  };
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

bool wants_events(const HeaderFields& headers) {
  return headers.get("accept").find("text/event-stream") != std::string_view::npos;
}

HttpResponse method_not_allowed(std::string allow) {
  HttpResponse response = http_detail(405, "Method Not Allowed");
  response.headers = {{"allow", std::move(allow)}};
  return response;
}

}  // namespace

Routes::Routes(ServiceContext& context, const Endpoints& endpoints, DeepDryRun& deep_dry_run)
    : context_(context), endpoints_(endpoints), deep_dry_run_(deep_dry_run) {
  const core::Protocols& protocols = context_.config.gateway.protocols;
  // The reference's WebSocket gateway answers probes over HTTP as well.
  if (protocols.http || protocols.websocket) add_probes(context_, pages_);
  if (protocols.http) add_docs_pages(endpoints_, context_.config.name, pages_);
}

std::optional<Routes::Data> Routes::data_at(std::string_view path) const {
  using Endpoint = wire::JsonRequestOptions::Endpoint;
  if (!context_.config.gateway.protocols.http) return std::nullopt;
  if (path == "/post") return Data{{"POST"}, {"/", Endpoint::Default}};
  Data data{{}, {path, Endpoint::Fixed}};
  for (const CrudPath& crud : kCrudPaths) {
    if (crud.path == path) data.methods.push_back(crud.method);
  }
  const auto offers = endpoints_.all().find(path);
  if (has_own_path(path) && offers != endpoints_.all().end()) {
    if (std::ranges::find(data.methods, "POST") == data.methods.end()) {
      data.methods.push_back("POST");
    }
    // Jina's client posts to it what is for an endpoint without a path of its own.
    if (path == "/default") data.path.endpoint_is = Endpoint::Default;
    data.streams = streams(offers->second);
    if (data.streams) data.methods.push_back("GET");
  }
  if (data.methods.empty()) return std::nullopt;
  return data;
}

std::unique_ptr<HttpHandler> Routes::open(HttpRequest request, HttpExchange& exchange) {
  const std::size_t question = std::min(request.target.find('?'), request.target.size());
  const std::string_view path = request.target.substr(0, question);
  const std::string_view query =
      request.target.substr(std::min(question + 1, request.target.size()));
  if (const auto page = pages_.find(path); page != pages_.end()) {
    const auto& [answer, head] = page->second;
    const bool allowed = request.method == "GET" || (head && request.method == "HEAD");
    if (allowed && path == "/dry_run" && has_flag(query, "deep")) {
      return std::make_unique<DeepDryRunHandler>(
          deep_dry_run_, context_.config.gateway.http_dry_run_status, exchange);
    }
    exchange.respond(allowed ? answer(query, request.headers)
                             : method_not_allowed(head ? "GET, HEAD" : "GET"));
    return nullptr;
  }
  const std::optional<Data> data = data_at(path);
  if (!data) {
    exchange.respond(http_detail(404, "Not Found"));
    return nullptr;
  }
  if (std::ranges::find(data->methods, request.method) == data->methods.end()) {
    exchange.respond(method_not_allowed(fmt::format("{}", fmt::join(data->methods, ", "))));
    return nullptr;
  }
  // Some of Jina's clients post what they want a stream of.
  if (data->streams && (request.method == "GET" || wants_events(request.headers))) {
    return open_event_stream(context_, path, query, std::move(request), exchange);
  }
  return open_data_request(context_, data->path, std::move(request), exchange);
}

}  // namespace flow::gateway
