// SPDX-License-Identifier: Apache-2.0
#include <mutex>
#include <utility>

#include "boost/beast/core/flat_buffer.hpp"
#include "boost/beast/http.hpp"
#include "client/src/byte_stream.hpp"
#include "client/src/json.hpp"
#include "client/src/sent_events.hpp"
#include "client/src/transport.hpp"
#include "core/net_address.hpp"
#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"

namespace flow::client {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;

using HttpRequest = http::request<http::string_body>;
using HttpResponse = http::response<http::string_body>;
using Parser = http::response_parser<http::string_body>;

// Connections that wait for the next request; more at once were a burst.
constexpr std::size_t kIdleMax = 8;

absl::StatusCode code_of(unsigned status) {
  switch (status) {
    case 400:
    case 422:
      return absl::StatusCode::kInvalidArgument;
    case 401:
      return absl::StatusCode::kUnauthenticated;
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
      return absl::StatusCode::kNotFound;
    case 405:
    case 501:
      return absl::StatusCode::kUnimplemented;
    case 413:
    case 429:
      return absl::StatusCode::kResourceExhausted;
    case 502:
    case 503:
      return absl::StatusCode::kUnavailable;
    case 408:
    case 504:
      return absl::StatusCode::kDeadlineExceeded;
    default:
      return status >= 500 ? absl::StatusCode::kInternal : absl::StatusCode::kUnknown;
  }
}

bool is_success(const HttpResponse& response) { return response.result_int() / 100 == 2; }

absl::Status error_of(const HttpResponse& response) {
  return core::error(
      code_of(response.result_int()),
      fmt::format("HTTP {}: {}", response.result_int(), error_text(response.body())));
}

std::string percent_encoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    if (plain) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

// HTTP/1.1 to one server, over connections that are kept. Thread-safe.
class HttpCalls {
 public:
  HttpCalls(const ServerAddress& address, const ClientOptions& options,
            std::unique_ptr<asio::ssl::context> tls)
      : address_(address), options_(options), tls_(std::move(tls)) {}

  HttpRequest request(http::verb method, std::string_view target) const {
    HttpRequest request(method, {target.data(), target.size()}, 11);
    request.set(http::field::host,
                core::format_address({.host = address_.host, .port = address_.port}));
    request.set(http::field::user_agent, "flow-client/" FLOW_VERSION);
    request.set(http::field::accept, "application/json");
    return request;
  }

  absl::StatusOr<HttpResponse> call(HttpRequest request, Deadline deadline) {
    FLOW_ASSIGN_OR_RETURN(std::unique_ptr<Link> link, send(std::move(request), deadline));
    beast::flat_buffer buffer;
    Parser parser;
    parser.body_limit(options_.max_message);
    const error_code failure = link->run(deadline, [&](auto done) {
      http::async_read(*link->bytes, buffer, parser, std::move(done));
    });
    if (failure) return read_error(failure);
    if (parser.get().keep_alive() && buffer.size() == 0) keep(std::move(link));
    return parser.release();
  }

  // Sends a request over a kept connection or a new one, whose answer is then the caller's.
  absl::StatusOr<std::unique_ptr<Link>> send(HttpRequest request, Deadline deadline) {
    request.prepare_payload();
    std::unique_ptr<Link> link = take();
    if (!link) {
      FLOW_ASSIGN_OR_RETURN(link, Link::open(address_, options_, tls_.get(), deadline));
    }
    const error_code failure = link->run(
        deadline, [&](auto done) { http::async_write(*link->bytes, request, std::move(done)); });
    if (failure) return link_error(failure, "sending the request");
    return link;
  }

  std::size_t max_message() const { return options_.max_message; }

  absl::Status read_error(error_code failure) const {
    if (failure == http::error::body_limit) {
      return core::error(
          absl::StatusCode::kResourceExhausted,
          fmt::format("the answer is larger than max_message, {} bytes", options_.max_message));
    }
    if (failure == http::error::end_of_stream || failure == http::error::partial_message) {
      return core::error(absl::StatusCode::kUnavailable,
                         "the server closed the connection before its answer was complete");
    }
    if (failure.category() == make_error_code(http::error::bad_version).category()) {
      return core::error(absl::StatusCode::kInternal,
                         fmt::format("the answer is no HTTP: {}", failure.message()));
    }
    return link_error(failure, "waiting for the answer");
  }

 private:
  std::unique_ptr<Link> take() {
    const std::lock_guard lock(mutex_);
    while (!idle_.empty()) {
      std::unique_ptr<Link> link = std::move(idle_.back());
      idle_.pop_back();
      // The server may have closed it in the meantime.
      if (link->bytes->is_quiet()) return link;
    }
    return nullptr;
  }

  void keep(std::unique_ptr<Link> link) {
    const std::lock_guard lock(mutex_);
    if (idle_.size() < kIdleMax) idle_.push_back(std::move(link));
  }

  const ServerAddress address_;
  const ClientOptions options_;
  const std::unique_ptr<asio::ssl::context> tls_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Link>> idle_;
};

// One POST /post after the other.
class HttpExchange : public Exchange {
 public:
  explicit HttpExchange(HttpCalls& calls) : calls_(calls) {}

  std::size_t window() const override { return 1; }

  absl::Status send(const jina::DataRequestProto& request, Deadline) override {
    FLOW_ASSIGN_OR_RETURN(body_, request_json(request));
    return absl::OkStatus();
  }

  std::optional<absl::StatusOr<jina::DataRequestProto>> receive(Deadline deadline) override {
    HttpRequest request = calls_.request(http::verb::post, "/post");
    request.set(http::field::content_type, "application/json");
    request.body() = std::exchange(body_, {});
    const auto response = calls_.call(std::move(request), deadline);
    if (!response.ok()) {
      if (absl::IsDeadlineExceeded(response.status()) && Clock::now() >= deadline) {
        return std::nullopt;
      }
      return response.status();
    }
    if (!is_success(*response)) return error_of(*response);
    return read_response_json(response->body());
  }

 private:
  HttpCalls& calls_;
  std::string body_;
};

class HttpFeed : public DocumentFeed {
 public:
  HttpFeed(HttpCalls& calls, std::unique_ptr<Link> link, Deadline deadline)
      : calls_(calls), link_(std::move(link)), deadline_(deadline) {
    parser_.body_limit(boost::none);  // of each event, not of all
  }

  std::optional<absl::StatusOr<docarray::DocumentProto>> next() override {
    while (!over_) {
      while (const std::optional<SentEvent> event = events_.next()) {
        if (event->name == "end") {
          over_ = true;
          return std::nullopt;
        }
        if (event->name == "error")
          return fail(core::error(absl::StatusCode::kUnknown, error_text(event->data)));
        if (event->name == "update") return document_of(event->data);
      }
      const absl::Status status = read_more();
      if (!status.ok()) return fail(status);
    }
    return std::nullopt;
  }

 private:
  absl::Status fail(absl::Status status) {
    over_ = true;
    return status;
  }

  // Whatever comes next of the answer.
  absl::Status read_more() {
    if (parser_.is_done()) {
      return core::error(absl::StatusCode::kUnavailable,
                         "the stream of events ended without \"event: end\"");
    }
    const error_code failure = link_->run(deadline_, [this](auto done) {
      http::async_read_some(*link_->bytes, buffer_, parser_, std::move(done));
    });
    if (failure) return calls_.read_error(failure);
    if (!parser_.is_header_done()) return absl::OkStatus();
    const bool is_error = !is_success(parser_.get());
    if (is_error && parser_.is_done()) return error_of(parser_.get());
    if (!is_error) events_.feed(std::exchange(parser_.get().body(), {}));
    const std::size_t held = is_error ? parser_.get().body().size() : events_.held();
    if (held <= calls_.max_message()) return absl::OkStatus();
    return calls_.read_error(http::error::body_limit);
  }

  absl::StatusOr<docarray::DocumentProto> document_of(std::string_view json) {
    auto answer = read_response_json(fmt::format(R"({{"data":[{}]}})", json));
    if (!answer.ok()) return fail(answer.status());
    if (answer->data().docs().docs_size() == 1) {
      return std::move(*answer->mutable_data()->mutable_docs()->mutable_docs(0));
    }
    return fail(
        core::error(absl::StatusCode::kInternal,
                    fmt::format("an event has {}, expected one document", core::in_quotes(json))));
  }

  HttpCalls& calls_;
  const std::unique_ptr<Link> link_;
  const Deadline deadline_;
  beast::flat_buffer buffer_;
  Parser parser_;
  SentEventReader events_;
  bool over_ = false;
};

// GET /endpoint?id=...&text=...: what fits into a query, or why it does not.
absl::StatusOr<std::string> stream_target(const jina::SingleDocumentRequestProto& request) {
  const docarray::DocumentProto& document = request.document();
  docarray::DocumentProto rest = document;
  rest.clear_id();
  rest.clear_text();
  rest.clear_uri();
  rest.clear_mime_type();
  rest.clear_weight();
  if (rest.ByteSizeLong() != 0 || request.has_parameters()) {
    return core::error(absl::StatusCode::kInvalidArgument,
                       "over HTTP a document travels in the query: only id, text, uri, mime_type "
                       "and weight, and no parameters; use grpc://");
  }
  std::string target = request.header().exec_endpoint();
  if (!target.starts_with('/')) target.insert(0, "/");
  std::string query = fmt::format("?id={}", percent_encoded(document.id()));
  const auto add = [&query](std::string_view key, std::string_view value) {
    if (!value.empty()) query += fmt::format("&{}={}", key, percent_encoded(value));
  };
  add("text", document.text());
  add("uri", document.uri());
  add("mime_type", document.mime_type());
  if (document.weight() != 0) add("weight", fmt::format("{}", document.weight()));
  for (const char c : target) {
    if (c <= ' ' || c == '?' || c == '#' || c == '\x7f') {
      return core::error(absl::StatusCode::kInvalidArgument,
                         fmt::format("the endpoint {} is no path", core::in_quotes(target)));
    }
  }
  return target + query;
}

class HttpTransport : public Transport {
 public:
  HttpTransport(const ServerAddress& address, const ClientOptions& options,
                std::unique_ptr<asio::ssl::context> tls)
      : calls_(address, options, std::move(tls)) {}

  DryRunAnswer dry_run(DryRun depth, Deadline deadline) override {
    const auto response = calls_.call(
        calls_.request(http::verb::get, depth == DryRun::Deep ? "/dry_run?deep=1" : "/dry_run"),
        deadline);
    if (!response.ok()) return {response.status(), {}, {}};
    // A verdict may come with 200 or, if it is bad, with 503; anything else that comes with 503 is
    // somebody in between.
    auto verdict = read_status_json(response->body());
    const bool is_verdict = is_success(*response) || response->result_int() == 503;
    if (is_verdict && verdict.ok()) return {absl::OkStatus(), {}, *std::move(verdict)};
    return {is_success(*response) ? verdict.status() : error_of(*response), {}, {}};
  }

  DryRunAnswer health(const std::string& service, Deadline deadline) override {
    if (!service.empty()) {
      return {core::error(absl::StatusCode::kUnimplemented,
                          fmt::format("over HTTP only the server itself can be asked, not \"{}\"; "
                                      "use grpc://",
                                      service)),
              {},
              {}};
    }
    const auto response = calls_.call(calls_.request(http::verb::get, "/"), deadline);
    if (!response.ok()) return {response.status(), {}, {}};
    if (response->result_int() != 200) return {error_of(*response), {}, {}};
    return {};
  }

  absl::StatusOr<std::vector<std::string>> discover(Deadline deadline) override {
    FLOW_ASSIGN_OR_RETURN(const HttpResponse response,
                          calls_.call(calls_.request(http::verb::get, "/openapi.json"), deadline));
    if (!is_success(response)) return error_of(response);
    FLOW_ASSIGN_OR_RETURN(const auto description, read_object_json(response.body()));
    return post_paths(description);
  }

  std::unique_ptr<Exchange> open_exchange(const ExchangeOptions&) override {
    return std::make_unique<HttpExchange>(calls_);
  }

  std::unique_ptr<DocumentFeed> stream_doc(const jina::SingleDocumentRequestProto& request,
                                           Deadline deadline) override {
    const auto target = stream_target(request);
    if (!target.ok()) return failed_feed(target.status());
    HttpRequest get = calls_.request(http::verb::get, *target);
    get.set(http::field::accept, "text/event-stream");
    auto link = calls_.send(std::move(get), deadline);
    if (!link.ok()) return failed_feed(link.status());
    return std::make_unique<HttpFeed>(calls_, *std::move(link), deadline);
  }

 private:
  // The executors' endpoints among an OpenAPI description's paths.
  static std::vector<std::string> post_paths(const google::protobuf::Struct& description) {
    std::vector<std::string> endpoints;
    const auto paths = description.fields().find("paths");
    if (paths == description.fields().end()) return endpoints;
    for (const auto& [path, item] : paths->second.struct_value().fields()) {
      const auto& methods = item.struct_value().fields();
      const bool takes_documents =
          methods.contains("post") || methods.contains("put") || methods.contains("delete");
      if (takes_documents && path != "/post") endpoints.push_back(path);
    }
    std::sort(endpoints.begin(), endpoints.end());
    return endpoints;
  }

  HttpCalls calls_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Transport>> make_http_transport(const ServerAddress& address,
                                                               const ClientOptions& options) {
  FLOW_ASSIGN_OR_RETURN(auto tls, make_tls_context(address, options.tls));
  return std::make_unique<HttpTransport>(address, options, std::move(tls));
}

}  // namespace flow::client
