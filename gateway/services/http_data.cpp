// SPDX-License-Identifier: Apache-2.0
#include "gateway/services/http_data.hpp"

#include <optional>
#include <string>
#include <utility>

#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"
#include "gateway/front/http_detail.hpp"
#include "gateway/services/error_answer.hpp"
#include "gateway/services/http_status.hpp"
#include "gateway/services/traversal.hpp"
#include "wire/grpc.hpp"
#include "wire/json_writer.hpp"

namespace flow::gateway {
namespace {

// ---- the request --------------------------------------------------------------------------------

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

std::optional<HttpResponse> refuse(const HeaderFields& headers) {
  if (!may_be_json(headers)) {
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
  if (const std::string_view text = headers.get("grpc-timeout");
      !text.empty() && !wire::parse_timeout(text)) {
    return http_detail(400, fmt::format("grpc-timeout \"{}\" is none; \"500m\" and \"2S\" are "
                                        "half a second and two",
                                        text));
  }
  return std::nullopt;
}

// ---- the answer ---------------------------------------------------------------------------------

// It goes away as a whole when the client does, and the executor is told.
class DataRequest final : public HttpHandler {
 public:
  DataRequest(ServiceContext& context, HttpDataPath path, HttpExchange& exchange)
      : context_(context),
        exchange_(exchange),
        endpoint_(path.endpoint),
        request_id_(context.route.new_request_id()),
        options_{.request_id = request_id_,
                 .endpoint = endpoint_,
                 .endpoint_is = path.endpoint_is,
                 .new_document_id = context.route.new_request_id,
                 .message_max = context.config.gateway.max_message},
        traversal_(context) {}

  // False, and it has responded, if the body is no request.
  bool read(std::string json, std::string& framed) {
    json_ = std::move(json);
    const auto problem = wire::read_data_request(json_, options_, framed);
    if (problem) exchange_.respond({.status = 422, .body = wire::problem_body(*problem, json_)});
    return !problem;
  }

  void start(std::string framed, std::optional<Clock::time_point> deadline) {
    traversal_.start(std::move(framed), deadline,
                     [this](const absl::StatusOr<std::string>& answer) { respond(answer); });
  }

 private:
  void respond(const absl::StatusOr<std::string>& answer) {
    if (!answer.ok()) return fail(answer.status());
    HttpResponse response;
    const absl::Status written =
        wire::write_data_response(wire::payload(*answer), wire::JsonStyle::Http, response.body,
                                  context_.loop.budget().left());
    if (!written.ok()) {
      return fail(core::with_context(written, "the answer cannot be written as JSON"));
    }
    exchange_.respond(std::move(response));
  }

  // The request is read once more for its documents: so only one that fails pays for their echo.
  void fail(const absl::Status& why) {
    HttpResponse response{.status = http_status(why.code())};
    if (response.status == 429) response.headers = {{"retry-after", "1"}};
    const jina::StatusProto status = error_status(why, context_.readiness.verdict());
    std::string framed;
    const bool echoed =
        !wire::read_data_request(json_, options_, framed) &&
        wire::write_failed_request(wire::payload(framed), status.SerializeAsString(), response.body,
                                   context_.loop.budget().left())
            .ok();
    if (!echoed) response.body = http_detail(response.status, core::message(why)).body;
    exchange_.respond(std::move(response));
  }

  ServiceContext& context_;
  HttpExchange& exchange_;
  const std::string endpoint_;
  const std::string request_id_;
  const wire::JsonRequestOptions options_;
  std::string json_;
  Traversal traversal_;
};

}  // namespace

std::unique_ptr<HttpHandler> open_data_request(ServiceContext& context, HttpDataPath path,
                                               HttpRequest request, HttpExchange& exchange) {
  if (std::optional<HttpResponse> refusal = refuse(request.headers)) {
    exchange.respond(*std::move(refusal));
    return nullptr;
  }
  std::optional<Clock::time_point> deadline;
  if (const auto timeout = wire::parse_timeout(request.headers.get("grpc-timeout"))) {
    deadline = Clock::now() + *timeout;
  }
  auto handler = std::make_unique<DataRequest>(context, path, exchange);
  std::string framed;
  if (!handler->read(std::move(request.body), framed)) return nullptr;
  handler->start(std::move(framed), deadline);
  return handler;
}

}  // namespace flow::gateway
