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

// What a client may send ahead while its request is being answered.
constexpr std::size_t kPipelinedBytesMax = 1 << 20;

}  // namespace

Http1ServerSession::Http1ServerSession(const Front& front, OutputSignal& output)
    : front_(front), output_(output) {
  expect_request();
}

void Http1ServerSession::expect_request() {
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(limits::kHeaderBytesMax));
  parser_->body_limit(front_.message_max);
  parser_->eager(true);
  body_allowed_ = false;
  waiting_since_ = Clock::now();
}

absl::Status Http1ServerSession::receive(std::string_view bytes) {
  if (state_ == State::Closing) return absl::OkStatus();
  const bool between_requests = in_.empty() && !parser_->got_some();
  if (between_requests || parser_->is_header_done()) waiting_since_ = Clock::now();
  in_.append(bytes);
  return proceed();
}

bool Http1ServerSession::answers_wait() const { return out_.size() >= limits::kWriteBytesMax; }

// Reading on, up to a bound, while a request is being answered is how we hear that its client left.
bool Http1ServerSession::paused() const {
  return (state_ == State::Answering || answers_wait()) && in_.size() > kPipelinedBytesMax;
}

absl::Status Http1ServerSession::proceed() {
  if (std::exchange(proceeding_, true)) return absl::OkStatus();
  absl::Status status;
  std::string_view rest = in_;
  while (!rest.empty() && state_ == State::Reading && !answers_wait()) {
    const absl::StatusOr<bool> complete = parse(rest);
    status = complete.status();
    if (!status.ok() || !*complete) break;
    open();
  }
  in_.erase(0, in_.size() - rest.size());
  proceeding_ = false;
  return status;
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
      if (parser_->is_header_done()) allow_body();
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

// A client with a large body may wait to hear that it is wanted (RFC 9110, 10.1.1).
void Http1ServerSession::allow_body() {
  if (std::exchange(body_allowed_, true)) return;
  if (boost::beast::iequals(parser_->get()[http::field::expect], "100-continue")) {
    out_ += "HTTP/1.1 100 Continue\r\n\r\n";
    output_.output_ready();
  }
}

void Http1ServerSession::open() {
  auto& request = parser_->get();
  const std::string_view method(request.method_string().data(), request.method_string().size());
  const std::string_view target(request.target().data(), request.target().size());
  fields_ = {};
  for (const std::string_view name : HeaderFields::kNames) {
    for (auto [field, end] = request.equal_range({name.data(), name.size()}); field != end;
         ++field) {
      fields_.add(name, {field->value().data(), field->value().size()});
    }
  }
  handler_.reset();
  state_ = State::Answering;
  keep_alive_ = request.keep_alive() && !draining_;
  head_only_ = method == "HEAD";
  auto handler = front_.http.open(
      {.method = method, .target = target, .headers = fields_, .body = std::move(request.body())},
      *this);
  if (state_ == State::Answering) handler_ = std::move(handler);
}

// ---- the answer ---------------------------------------------------------------------------------

void Http1ServerSession::write_head(const HttpResponse& response, std::string_view length) {
  const auto reason = http::obsolete_reason(static_cast<http::status>(response.status));
  fmt::format_to(std::back_inserter(out_), "HTTP/1.1 {} {}\r\ncontent-type: {}\r\n{}",
                 response.status, std::string_view(reason.data(), reason.size()),
                 response.content_type, length);
  for (const auto& [name, value] : response.headers) {
    fmt::format_to(std::back_inserter(out_), "{}: {}\r\n", name, value);
  }
  if (!keep_alive_) out_ += "connection: close\r\n";
  out_ += "\r\n";
}

void Http1ServerSession::respond(HttpResponse response) {
  write_head(response, fmt::format("content-length: {}\r\n", response.body.size()));
  if (!head_only_) out_ += response.body;
  finish_answer();
}

void Http1ServerSession::start(HttpResponse head) {
  // A client of HTTP/1.0 knows the end of such an answer by the end of the connection.
  chunked_ = parser_->get().version() >= 11;
  if (!chunked_) keep_alive_ = false;
  write_head(head, chunked_ ? "transfer-encoding: chunked\r\n" : "");
  send(std::move(head.body));
}

void Http1ServerSession::send(std::string piece) {
  if (piece.empty() || head_only_) return;
  if (chunked_) {
    fmt::format_to(std::back_inserter(out_), "{:x}\r\n{}\r\n", piece.size(), piece);
  } else {
    out_ += piece;
  }
  waiting_since_ = Clock::now();
  output_.output_ready();
}

void Http1ServerSession::end() {
  if (std::exchange(chunked_, false) && !head_only_) out_ += "0\r\n\r\n";
  finish_answer();
}

void Http1ServerSession::finish_answer() {
  output_.output_ready();
  if (!keep_alive_ || draining_) {
    state_ = State::Closing;
    return;
  }
  state_ = State::Reading;
  expect_request();
}

absl::Status Http1ServerSession::refuse(int status, std::string_view detail) {
  keep_alive_ = false;
  head_only_ = false;
  respond({.status = status, .body = fmt::format(R"({{"detail":"{}"}})", detail)});
  return core::error(absl::StatusCode::kInvalidArgument, fmt::format("HTTP/1.1: {}", detail));
}

// ---- the connection -----------------------------------------------------------------------------

void Http1ServerSession::produce(std::string& out, std::size_t) {
  if (state_ != State::Answering) handler_.reset();
  // A request that was sent ahead may be next; what is wrong with it was answered and closes.
  (void)proceed();
  if (out_.empty()) return;
  if (answers_wait()) waiting_since_ = Clock::now();  // until now it was us who did not read
  if (out.empty()) {
    out.swap(out_);
  } else {
    out.append(std::exchange(out_, std::string()));
  }
  if (state_ == State::Answering && handler_) handler_->on_sent();
}

bool Http1ServerSession::finished() const { return state_ == State::Closing && out_.empty(); }

void Http1ServerSession::drain() {
  draining_ = true;
  // Between two requests nobody loses anything.
  if (state_ == State::Reading && in_.empty() && !parser_->got_some()) state_ = State::Closing;
  output_.output_ready();
}

absl::Status Http1ServerSession::sweep(Clock::time_point now) {
  if (state_ != State::Reading || answers_wait()) return absl::OkStatus();
  if (in_.empty() && !parser_->got_some()) {
    if (now - waiting_since_ > limits::kKeepAliveIdle) state_ = State::Closing;
    return absl::OkStatus();
  }
  const auto patience =
      parser_->is_header_done() ? Clock::duration(limits::kStallTimeout) : limits::kHeaderTimeout;
  if (now - waiting_since_ > patience) return refuse(408, "Request Timeout");
  return absl::OkStatus();
}

void Http1ServerSession::disconnected(const absl::Status&) {
  state_ = State::Closing;
  handler_.reset();
}

}  // namespace flow::gateway
