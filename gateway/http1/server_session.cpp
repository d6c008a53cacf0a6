// SPDX-License-Identifier: Apache-2.0
#include "gateway/http1/server_session.hpp"

#include <utility>

#include "boost/asio/buffer.hpp"
#include "boost/beast/http/error.hpp"
#include "core/limits.hpp"
#include "core/status.hpp"
#include "fmt/format.h"

namespace flow::gateway {

namespace http = boost::beast::http;
namespace limits = core::limits;

namespace {

// No route of this version takes a body; one that is sent all the same is read past.
constexpr std::uint64_t kBodyMax = 64 << 10;
// Answers to pipelined requests that nobody reads yet.
constexpr std::size_t kPipelinedBytesMax = 1 << 20;

}  // namespace

Http1ServerSession::Http1ServerSession(const Front& front, OutputSignal& output)
    : front_(front), output_(output) {
  expect_request();
}

void Http1ServerSession::expect_request() {
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(limits::kHeaderBytesMax));
  parser_->body_limit(kBodyMax);
  parser_->eager(true);
  waiting_since_ = Clock::now();
}

absl::Status Http1ServerSession::receive(std::string_view bytes) {
  if (closing_) return absl::OkStatus();
  if (in_.empty() && !parser_->got_some()) waiting_since_ = Clock::now();
  in_.append(bytes);
  std::string_view rest = in_;
  while (!rest.empty() && !closing_) {
    if (out_.size() > kPipelinedBytesMax) return refuse(503, "Too Many Pipelined Requests");
    FLOW_ASSIGN_OR_RETURN(const bool complete, parse(rest));
    if (!complete) break;
    answer();
    if (!closing_) expect_request();
  }
  in_.erase(0, in_.size() - rest.size());
  return absl::OkStatus();
}

absl::StatusOr<bool> Http1ServerSession::parse(std::string_view& bytes) {
  // A parser takes whole lines only and leaves the rest for next time.
  while (!parser_->is_done() && !bytes.empty()) {
    boost::system::error_code error;
    const std::size_t taken = parser_->put(boost::asio::buffer(bytes.data(), bytes.size()), error);
    bytes.remove_prefix(taken);
    if (error == http::error::need_more) {
      if (!parser_->is_header_done() && bytes.size() > limits::kHeaderBytesMax) {
        return refuse(431, "Request Header Fields Too Large");
      }
      if (taken == 0) break;
      continue;
    }
    if (error == http::error::header_limit) return refuse(431, "Request Header Fields Too Large");
    if (error == http::error::body_limit) return refuse(413, "Request Entity Too Large");
    if (error) return refuse(400, fmt::format("Bad Request: {}", error.message()));
  }
  // The parser takes a request whose body is coded in a way it does not know for one without a
  // body, and the body for the next request (RFC 9112, 6.3).
  if (parser_->is_header_done() && !parser_->chunked() &&
      parser_->get().count(http::field::transfer_encoding) != 0) {
    return refuse(400, "Bad Request: unknown transfer-encoding");
  }
  return parser_->is_done();
}

void Http1ServerSession::answer() {
  const auto& request = parser_->get();
  const bool keep_alive = request.keep_alive() && !draining_;
  const std::string_view method(request.method_string().data(), request.method_string().size());
  const std::string_view target(request.target().data(), request.target().size());
  respond(front_.http.answer({.method = method, .target = target}), method == "HEAD",
          keep_alive ? Connection::KeepAlive : Connection::Close);
}

void Http1ServerSession::respond(const HttpResponse& response, bool head_only,
                                 Connection connection) {
  const auto reason = http::obsolete_reason(static_cast<http::status>(response.status));
  fmt::format_to(std::back_inserter(out_),
                 "HTTP/1.1 {} {}\r\ncontent-type: {}\r\ncontent-length: {}\r\n", response.status,
                 std::string_view(reason.data(), reason.size()), response.content_type,
                 response.body.size());
  for (const auto& [name, value] : response.headers) {
    fmt::format_to(std::back_inserter(out_), "{}: {}\r\n", name, value);
  }
  if (connection == Connection::Close) {
    out_ += "connection: close\r\n";
    closing_ = true;
  }
  out_ += "\r\n";
  if (!head_only) out_ += response.body;
  output_.output_ready();
}

absl::Status Http1ServerSession::refuse(int status, std::string_view detail) {
  respond({.status = status, .body = fmt::format(R"({{"detail":"{}"}})", detail)}, false,
          Connection::Close);
  return core::error(absl::StatusCode::kInvalidArgument, fmt::format("HTTP/1.1: {}", detail));
}

void Http1ServerSession::produce(std::string& out, std::size_t) {
  if (out.empty()) {
    out.swap(out_);
  } else {
    out.append(std::exchange(out_, std::string()));
  }
}

bool Http1ServerSession::finished() const { return closing_ && out_.empty(); }

void Http1ServerSession::drain() {
  draining_ = true;
  // Between two requests nobody loses anything.
  if (in_.empty() && !parser_->got_some()) closing_ = true;
  output_.output_ready();
}

absl::Status Http1ServerSession::sweep(Clock::time_point now) {
  if (closing_) return absl::OkStatus();
  if (!in_.empty() || parser_->got_some()) {
    if (now - waiting_since_ > limits::kHeaderTimeout) return refuse(408, "Request Timeout");
  } else if (now - waiting_since_ > limits::kKeepAliveIdle) {
    closing_ = true;
  }
  return absl::OkStatus();
}

}  // namespace flow::gateway
