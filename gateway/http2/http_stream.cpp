// SPDX-License-Identifier: Apache-2.0
#include "gateway/http2/http_stream.hpp"

#include <utility>
#include <vector>

#include "fmt/format.h"
#include "gateway/front/http_detail.hpp"

namespace flow::gateway {

HttpStream::HttpStream(Http2Connection& connection, std::int32_t id, RequestHeader header)
    : ServerStream(connection, id), header_(std::move(header)) {}

void HttpStream::on_data(std::string_view bytes) {
  heard();
  consume(bytes.size());
  if (answered_) return;
  if (body_.size() + bytes.size() > connection().front.message_max) {
    return respond(http_detail(413, "Request Entity Too Large"));
  }
  if (!hold(bytes.size())) return respond(http_no_room());
  body_.append(bytes);
}

void HttpStream::on_end() {
  if (answered_) return;
  if (header_.too_large()) return respond(http_detail(431, "Request Header Fields Too Large"));
  handler_ = connection().front.http.open({.method = header_.method,
                                           .target = header_.path,
                                           .headers = header_.fields,
                                           .body = std::move(body_)},
                                          *this);
}

void HttpStream::on_output_taken() {
  if (handler_) handler_->on_sent();
}

void HttpStream::submit_head(const HttpResponse& response, Length length) {
  const std::string status = fmt::format_int(response.status).str();
  const std::string size = fmt::format_int(response.body.size()).str();
  std::vector<nghttp2_nv> fields = {header(":status", status, HeaderValue::PerCall)};
  if (!response.content_type.empty()) {
    fields.push_back(header("content-type", response.content_type, HeaderValue::Static));
  }
  // Answers that never have a body do not say how long it is (RFC 9110, 8.6).
  if (length == Length::Known && response.status != 204 && response.status != 304) {
    fields.push_back(header("content-length", size, HeaderValue::PerCall));
  }
  for (const auto& [name, value] : response.headers) {
    fields.push_back(header(name, value, HeaderValue::PerCall));
  }
  const bool body = header_.method != "HEAD" && (length == Length::Open || !response.body.empty());
  submit_response(fields.data(), fields.size(), body ? Body::Follows : Body::None);
}

void HttpStream::respond(HttpResponse response) {
  if (std::exchange(answered_, true)) return;
  if (!hold(response.body.size())) response = http_no_room();
  submit_head(response, Length::Known);
  if (header_.method != "HEAD") append_output(std::move(response.body));
  end_output();
}

void HttpStream::start(HttpResponse head) {
  if (std::exchange(answered_, true)) return;
  submit_head(head, Length::Open);
  send(std::move(head.body));
}

void HttpStream::send(std::string piece) {
  if (piece.empty() || header_.method == "HEAD") return;
  if (!hold(piece.size())) return reset();  // without the end that says that this is all
  append_output(std::move(piece));
}

void HttpStream::end() { end_output(); }

}  // namespace flow::gateway
