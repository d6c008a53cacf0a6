// SPDX-License-Identifier: Apache-2.0
#include "flow/client.hpp"

#include <algorithm>
#include <iterator>
#include <mutex>
#include <utility>

#include "client/src/convert.hpp"
#include "client/src/posting.hpp"
#include "client/src/transport.hpp"
#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"

namespace flow {
namespace {

using client::Deadline;

absl::StatusOr<std::unique_ptr<client::Transport>> make_transport(const ServerAddress& address,
                                                                  const ClientOptions& options) {
  switch (address.protocol) {
    case Protocol::Grpc:
      return client::make_grpc_transport(address, options);
    case Protocol::Http:
      return client::make_http_transport(address, options);
    case Protocol::WebSocket:
      return client::make_websocket_transport(address, options);
  }
  return core::error(absl::StatusCode::kInvalidArgument, "there is no such protocol");
}

DocumentSource source_of(std::vector<Document> documents) {
  return [documents = std::move(documents), next = std::size_t{0}]() mutable {
    return next < documents.size() ? std::optional(std::move(documents[next++])) : std::nullopt;
  };
}

}  // namespace

std::string CheckResult::reason() const {
  if (ready) return {};
  if (!status.ok()) {
    return core::one_line(fmt::format("{}: {}: {}", url, absl::StatusCodeToString(status.code()),
                                      core::message(status)));
  }
  return core::one_line(
      fmt::format("{}: {}", url, description.empty() ? "it is not ready" : description));
}

struct Client::State {
  std::string url;
  absl::Status status;
  std::shared_ptr<client::Line> line;  // shared with streams; null if status is not OK
  std::mutex mutex;                    // for what follows
  std::string last_reason;

  // Asks and puts the answer, with the time it took, into words.
  template <class Ask>
  CheckResult check(Duration timeout, Ask ask) {
    const auto begin = client::Clock::now();
    CheckResult result;
    result.url = url;
    if (!status.ok()) {
      result.status = status;
    } else {
      client::DryRunAnswer answer = ask(*line->transport, client::deadline_after(timeout, begin));
      jina::StatusProto& verdict = answer.verdict;
      result.status = std::move(answer.status);
      result.debug = std::move(answer.debug);
      result.ready = result.status.ok() && verdict.code() == jina::StatusProto::SUCCESS;
      result.description = std::move(*verdict.mutable_description());
      result.exception = std::move(*verdict.mutable_exception()->mutable_name());
      result.executor = std::move(*verdict.mutable_exception()->mutable_executor());
      result.stacks.assign(verdict.exception().stacks().begin(),
                           verdict.exception().stacks().end());
    }
    result.latency = client::Clock::now() - begin;
    const std::lock_guard lock(mutex);
    last_reason = result.reason();
    return result;
  }
};

Client::Client(std::string_view url, ClientOptions options) {
  const auto address = parse_url(url);
  if (address.ok()) {
    *this = Client(*address, std::move(options));
    return;
  }
  state_ = std::make_unique<State>();
  state_->url = url;
  state_->status = address.status();
}

Client::Client(ServerAddress address, ClientOptions options) : state_(std::make_unique<State>()) {
  state_->url = format_url(address);
  auto transport = make_transport(address, options);
  if (!transport.ok()) {
    state_->status = transport.status();
    return;
  }
  state_->line = std::shared_ptr<client::Line>(
      new client::Line{state_->url, *std::move(transport), options.retry,
                       client::RetryBudget(options.retry.budget)});
}

Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

absl::Status Client::status() const { return state_->status; }

std::string Client::url() const { return state_->url; }

bool Client::is_flow_ready(Duration timeout) { return ready(timeout).ready; }

std::string Client::last_reason() const {
  const std::lock_guard lock(state_->mutex);
  return state_->last_reason;
}

CheckResult Client::ready(Duration timeout, DryRun depth) {
  return state_->check(timeout, [depth](client::Transport& transport, Deadline deadline) {
    return transport.dry_run(depth, deadline);
  });
}

CheckResult Client::health(std::string_view service, Duration timeout) {
  return state_->check(timeout, [service](client::Transport& transport, Deadline deadline) {
    return transport.health(std::string(service), deadline);
  });
}

absl::StatusOr<std::vector<std::string>> Client::discover(Duration timeout) {
  FLOW_RETURN_IF_ERROR(state_->status);
  auto endpoints = state_->line->transport->discover(client::deadline_after(timeout));
  if (!endpoints.ok()) return core::with_context(endpoints.status(), state_->url);
  return endpoints;
}

absl::StatusOr<std::vector<Document>> Client::post(std::string_view endpoint,
                                                   std::vector<Document> documents,
                                                   Json::Object parameters,
                                                   const PostOptions& options) {
  PostOptions ordered = options;
  ordered.results_in_order = true;
  std::vector<Document> results;
  results.reserve(documents.size());
  ResponseStream responses = stream(endpoint, std::move(documents), std::move(parameters), ordered);
  while (std::optional<Response> response = responses.next()) {
    FLOW_RETURN_IF_ERROR(response->status);
    std::ranges::move(response->documents, std::back_inserter(results));
  }
  return results;
}

absl::Status Client::post_each(std::string_view endpoint, std::vector<Document> documents,
                               const PostCallbacks& callbacks, Json::Object parameters,
                               const PostOptions& options) {
  absl::Status first;
  ResponseStream responses = stream(endpoint, std::move(documents), std::move(parameters), options);
  while (const std::optional<Response> response = responses.next()) {
    first.Update(response->status);
    const auto& callback = response->status.ok() ? callbacks.on_done : callbacks.on_error;
    if (callback) callback(*response);
    if (callbacks.on_always) callbacks.on_always(*response);
  }
  return first;
}

ResponseStream Client::stream(std::string_view endpoint, DocumentSource documents,
                              Json::Object parameters, const PostOptions& options) {
  absl::Status status = state_->status;
  if (status.ok() && !core::is_valid_utf8(endpoint)) {
    status = core::error(absl::StatusCode::kInvalidArgument, "the endpoint is not UTF-8");
  }
  if (status.ok() && !core::is_valid_utf8(options.target_executor)) {
    status = core::error(absl::StatusCode::kInvalidArgument, "target_executor is not UTF-8");
  }
  if (!status.ok()) {
    return ResponseStream([status, is_over = false]() mutable -> std::optional<Response> {
      if (std::exchange(is_over, true)) return std::nullopt;
      Response response;
      response.status = status;
      return response;
    });
  }
  // std::function wants to copy what it holds.
  auto posting = std::make_shared<client::Posting>(
      state_->line, std::string(endpoint), std::move(documents), std::move(parameters), options);
  return ResponseStream([posting] { return posting->next(); });
}

ResponseStream Client::stream(std::string_view endpoint, std::vector<Document> documents,
                              Json::Object parameters, const PostOptions& options) {
  return stream(endpoint, source_of(std::move(documents)), std::move(parameters), options);
}

DocumentStream Client::stream_doc(std::string_view endpoint, const Document& document,
                                  Json::Object parameters, Duration timeout) {
  jina::SingleDocumentRequestProto request;
  absl::Status status = state_->status;
  if (status.ok()) status = client::to_proto(document, *request.mutable_document());
  if (status.ok() && !parameters.empty()) {
    status = client::to_proto(parameters, *request.mutable_parameters());
  }
  if (status.ok() && !core::is_valid_utf8(endpoint)) {
    status = core::error(absl::StatusCode::kInvalidArgument, "the endpoint is not UTF-8");
  }
  request.mutable_header()->set_request_id(client::make_id());
  request.mutable_header()->set_exec_endpoint(std::string(endpoint));
  if (request.document().id().empty()) request.mutable_document()->set_id(client::make_id());

  std::unique_ptr<client::DocumentFeed> opened =
      status.ok() ? state_->line->transport->stream_doc(request, client::deadline_after(timeout))
                  : client::failed_feed(status);
  // Shared because std::function wants to copy it; the feed goes before the transport may.
  std::shared_ptr<client::DocumentFeed> feed(
      opened.release(), [line = state_->line](client::DocumentFeed* each) { delete each; });
  return DocumentStream([feed, url = state_->url]() -> std::optional<absl::StatusOr<Document>> {
    auto next = feed->next();
    if (!next) return std::nullopt;
    if (!next->ok()) return core::with_context(next->status(), url);
    return client::from_proto(**std::move(next));
  });
}

}  // namespace flow
