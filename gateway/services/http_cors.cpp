// SPDX-License-Identifier: Apache-2.0
#include "gateway/services/http_cors.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace flow::gateway {
namespace {

constexpr std::array<std::string_view, 7> kMethods = {"DELETE", "GET",  "HEAD", "OPTIONS",
                                                      "PATCH",  "POST", "PUT"};
// How long a browser may remember the answer to its question.
constexpr const char* kMaxAgeSeconds = "600";

using Fields = std::vector<std::pair<std::string_view, std::string>>;

// "May a page of this origin send such a request?"
HttpResponse preflight(const HeaderFields& asked) {
  Fields fields = {
      {"vary", "Origin"},
      {"access-control-allow-origin", std::string(asked.get("origin"))},
      {"access-control-allow-credentials", "true"},
      {"access-control-allow-methods", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"},
      {"access-control-max-age", kMaxAgeSeconds},
  };
  if (const std::string_view headers = asked.get("access-control-request-headers");
      !headers.empty()) {
    fields.emplace_back("access-control-allow-headers", headers);
  }
  const bool allowed =
      std::ranges::find(kMethods, asked.get("access-control-request-method")) != kMethods.end();
  return {.status = allowed ? 200 : 400,
          .body = allowed ? "OK" : "Disallowed CORS method",
          .content_type = "text/plain; charset=utf-8",
          .headers = std::move(fields)};
}

// What is added to each answer that a page gets. "*" is not enough for one that sends cookies
// (Fetch, 3.2.5).
Fields permission(const HeaderFields& asked) {
  const bool with_cookies = !asked.get("cookie").empty();
  Fields fields = {
      {"access-control-allow-origin", with_cookies ? std::string(asked.get("origin")) : "*"},
      {"access-control-allow-credentials", "true"},
  };
  if (with_cookies) fields.emplace_back("vary", "Origin");
  return fields;
}

// The exchange with a page; it stands between the handler and the session.
class PageExchange final : public HttpExchange, public HttpHandler {
 public:
  PageExchange(HttpExchange& session, Fields fields)
      : session_(session), fields_(std::move(fields)) {}

  void follow(std::unique_ptr<HttpHandler> handler) { handler_ = std::move(handler); }

  void respond(HttpResponse response) override { session_.respond(marked(std::move(response))); }
  void start(HttpResponse head) override { session_.start(marked(std::move(head))); }
  void send(std::string piece) override { session_.send(std::move(piece)); }
  void end() override { session_.end(); }
  std::size_t unsent() const override { return session_.unsent(); }

  void on_sent() override { handler_->on_sent(); }

 private:
  HttpResponse marked(HttpResponse response) {
    for (auto& [name, value] : fields_) {
      const auto present = std::ranges::find(response.headers, name, &Fields::value_type::first);
      if (present == response.headers.end()) {
        response.headers.emplace_back(name, std::move(value));
      } else {
        present->second.append(", ").append(value);  // only "vary" may be there
      }
    }
    return response;
  }

  HttpExchange& session_;
  Fields fields_;
  std::unique_ptr<HttpHandler> handler_;
};

}  // namespace

std::unique_ptr<HttpHandler> Cors::open(HttpRequest request, HttpExchange& exchange) {
  const HeaderFields& headers = request.headers;
  if (headers.get("origin").empty()) return inner_.open(std::move(request), exchange);
  if (request.method == "OPTIONS" && !headers.get("access-control-request-method").empty()) {
    exchange.respond(preflight(headers));
    return nullptr;
  }
  auto page = std::make_unique<PageExchange>(exchange, permission(headers));
  auto handler = inner_.open(std::move(request), *page);
  if (!handler) return nullptr;
  page->follow(std::move(handler));
  return page;
}

}  // namespace flow::gateway
