// SPDX-License-Identifier: Apache-2.0
#include "gateway/services/http_data.hpp"

#include <optional>
#include <string>
#include <utility>

#include "core/status.hpp"
#include "gateway/services/error_answer.hpp"
#include "gateway/services/http_request.hpp"
#include "gateway/services/traversal.hpp"
#include "wire/grpc.hpp"
#include "wire/json_writer.hpp"

namespace flow::gateway {
namespace {

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
    HttpResponse response = http_failure(why);
    const jina::StatusProto status = error_status(why, context_.readiness.verdict());
    std::string framed;
    std::string echo;
    if (!wire::read_data_request(json_, options_, framed) &&
        wire::write_failed_request(wire::payload(framed), status.SerializeAsString(), echo,
                                   context_.loop.budget().left())
            .ok()) {
      response.body = std::move(echo);
    }
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
  if (std::optional<HttpResponse> refusal = refuse(request.headers, true)) {
    exchange.respond(*std::move(refusal));
    return nullptr;
  }
  const auto deadline = deadline_of(request.headers);
  auto handler = std::make_unique<DataRequest>(context, path, exchange);
  std::string framed;
  if (!handler->read(std::move(request.body), framed)) return nullptr;
  handler->start(std::move(framed), deadline);
  return handler;
}

}  // namespace flow::gateway
