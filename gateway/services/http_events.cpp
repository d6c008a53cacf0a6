// SPDX-License-Identifier: Apache-2.0
#include "gateway/services/http_events.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "core/limits.hpp"
#include "core/status.hpp"
#include "fmt/format.h"
#include "gateway/front/http_detail.hpp"
#include "gateway/services/error_answer.hpp"
#include "gateway/services/http_request.hpp"
#include "gateway/services/http_status.hpp"
#include "gateway/services/stream_traversal.hpp"
#include "jina.pb.h"
#include "wire/data_request.hpp"
#include "wire/grpc.hpp"
#include "wire/json_cursor.hpp"
#include "wire/json_reader.hpp"
#include "wire/json_text.hpp"
#include "wire/json_writer.hpp"
#include "wire/protobuf.hpp"
#include "wire/single_document.hpp"

namespace flow::gateway {
namespace {

// ---- the document -------------------------------------------------------------------------------

std::string decoded(std::string_view part) {
  std::string text(part);
  std::ranges::replace(text, '+', ' ');
  return wire::decode_message(text);  // the same percent-encoding
}

// "text=hello&parameters={}": a document as a JSON object, and parameters.
struct Query {
  std::string document;
  std::string parameters = "{}";
};

Query read_query(std::string_view query) {
  Query result;
  std::string members;
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), part.size() + 1));
    const std::size_t equals = std::min(part.find('='), part.size());
    const std::string name = decoded(part.substr(0, equals));
    std::string value = decoded(part.substr(std::min(equals + 1, part.size())));
    if (name == "parameters") {
      result.parameters = std::move(value);
    } else if (!name.empty()) {
      wire::append_json_comma(members);
      wire::append_json_string(members, name);
      members += ':';
      wire::append_json_string(members, value);
    }
  }
  result.document = "{" + members + "}";
  return result;
}

constexpr std::string_view kBeforeDocument = R"({"data":[)";

// Is it one JSON object, and nothing after it? Only then may it stand inside of another text.
std::optional<wire::JsonProblem> check_object(std::string_view json) {
  wire::JsonCursor cursor(json);
  if (cursor.expect(wire::JsonCursor::Kind::Object)) cursor.skip();
  if (cursor.finish()) return std::nullopt;
  return cursor.problem();
}

// Places in the request that was made of a document, as places in the document.
wire::JsonProblem in_document(wire::JsonProblem problem) {
  const std::size_t before = kBeforeDocument.size();
  problem.offset -= std::min(problem.offset, before);
  if (problem.line == 1) problem.column -= std::min(problem.column - 1, before);
  problem.where.erase(
      problem.where.begin(),
      problem.where.begin() + std::min<std::ptrdiff_t>(2, std::ssize(problem.where)));
  return problem;
}

// ---- the events ---------------------------------------------------------------------------------

// Lines end as the reference's do: its client counts characters. Browsers pass over an event
// without data.
std::string event(std::string_view name, std::string_view data) {
  return fmt::format("event: {}\r\ndata: {}\r\n\r\n", name, data);
}

class EventStream final : public HttpHandler, private StreamTraversal::Listener {
 public:
  EventStream(ServiceContext& context, HttpExchange& exchange)
      : context_(context), exchange_(exchange), traversal_(context) {}

  void start(std::string framed, std::optional<Clock::time_point> deadline) {
    traversal_.start(std::move(framed), deadline, *this);
  }
  void on_sent() override { traversal_.part_wanted(); }

 private:
  void on_part(std::string framed) override {
    const auto view = wire::scan_data_request(wire::payload(framed));
    if (view.ok() && view->is_error()) {
      failed_ = true;
      return send(event("error", json_of(view->status)));
    }
    wire::WireReader reader(wire::payload(framed));
    while (const auto field = reader.next()) {
      if (field->number != jina::SingleDocumentRequestProto::kDocumentFieldNumber) continue;
      std::string json;
      const absl::Status written =
          wire::write_document(field->bytes, json, context_.loop.budget().left());
      send(written.ok() ? event("update", json) : error_event(written));
    }
  }
  bool wants_part() override {
    return exchange_.unsent() <= static_cast<std::size_t>(core::limits::kStreamWindow);
  }
  void on_done(const absl::Status& status) override {
    if (!status.ok() && !started_) return exchange_.respond(refusal(status));
    if (!status.ok()) {
      send(error_event(status));
    } else if (!failed_) {
      send(event("end", ""));
    }
    exchange_.end();
  }

  // Not before there is something to tell: a request that fails has a status of HTTP that says so.
  void send(std::string text) {
    if (std::exchange(started_, true)) return exchange_.send(std::move(text));
    exchange_.start({.body = std::move(text),
                     .content_type = "text/event-stream; charset=utf-8",
                     .headers = {{"cache-control", "no-cache"}, {"x-accel-buffering", "no"}}});
  }

  HttpResponse refusal(const absl::Status& why) const {
    HttpResponse response = http_failure(why);
    std::string json;
    const std::string status = error_status(why, context_.readiness.verdict()).SerializeAsString();
    const std::string none = wire::frame("");
    if (wire::write_failed_request(wire::payload(none), status, json).ok()) {
      response.body = std::move(json);
    }
    return response;
  }

  std::string error_event(const absl::Status& why) const {
    return event("error", status_json(error_status(why, context_.readiness.verdict())));
  }
  static std::string json_of(std::string_view status) {
    std::string json;
    return wire::write_status(status, json).ok() ? json : "{}";
  }

  ServiceContext& context_;
  HttpExchange& exchange_;
  StreamTraversal traversal_;
  bool started_ = false;
  bool failed_ = false;
};

}  // namespace

std::unique_ptr<HttpHandler> open_event_stream(ServiceContext& context, std::string_view endpoint,
                                               std::string_view query, HttpRequest request,
                                               HttpExchange& exchange) {
  const bool has_body = !request.body.empty();
  if (auto refusal = refuse(request.headers, has_body)) {
    exchange.respond(*std::move(refusal));
    return nullptr;
  }
  const auto refuse_json = [&](const wire::JsonProblem& problem, std::string_view json) {
    exchange.respond({.status = 422, .body = wire::problem_body(problem, json)});
    return nullptr;
  };
  Query asked = read_query(query);
  if (has_body) asked.document = std::move(request.body);
  // Each by itself, or one could end early and bring members of its own into the request.
  for (const std::string* json : {&asked.document, &asked.parameters}) {
    if (const auto problem = check_object(*json)) return refuse_json(*problem, *json);
  }
  const std::string json =
      fmt::format(R"({}{}],"parameters":{}}})", kBeforeDocument, asked.document, asked.parameters);
  const std::string request_id = context.route.new_request_id();
  std::string framed;
  const auto problem =
      wire::read_data_request(json,
                              {.request_id = request_id,
                               .endpoint = endpoint,
                               .endpoint_is = wire::JsonRequestOptions::Endpoint::Fixed,
                               .new_document_id = context.route.new_request_id,
                               .message_max = context.config.gateway.max_message},
                              framed);
  if (problem) return refuse_json(in_document(*problem), asked.document);
  absl::StatusOr<std::string> document = wire::single_document_of(wire::payload(framed));
  if (!document.ok()) {
    exchange.respond(
        http_detail(http_status(document.status().code()), core::message(document.status())));
    return nullptr;
  }
  auto handler = std::make_unique<EventStream>(context, exchange);
  handler->start(*std::move(document), deadline_of(request.headers));
  return handler;
}

}  // namespace flow::gateway
