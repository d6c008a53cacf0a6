// SPDX-License-Identifier: Apache-2.0
#include "gateway/http1/server_session.hpp"

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

#include "boost/asio/buffer.hpp"
#include "boost/beast/http/error.hpp"
#include "boost/beast/http/rfc7230.hpp"
#include "core/limits.hpp"
#include "core/status.hpp"
#include "fmt/format.h"
#include "gateway/front/http_detail.hpp"
#include "gateway/front/websocket.hpp"
#include "gateway/websocket/handshake.hpp"

namespace flow::gateway {

namespace http = boost::beast::http;
namespace limits = core::limits;

namespace {

// What a client may send ahead while its request is being answered.
constexpr std::size_t kPipelinedBytesMax = 1 << 20;

// A field's value; of one that occurs several times, joined.
std::string joined(const http::fields& fields, http::field name) {
  std::string all;
  for (auto [field, end] = fields.equal_range(name); field != end; ++field) {
    if (!all.empty()) all += ", ";
    all.append(field->value().data(), field->value().size());
  }
  return all;
}

bool has_token(const http::fields& fields, http::field name, std::string_view token) {
  const std::string value = joined(fields, name);
  return http::token_list{value}.exists({token.data(), token.size()});
}

// The path and query of a target, which may name our host as well (RFC 9112, 3.2.2).
std::string_view origin_form(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!boost::beast::iequals({target.data(), std::min(target.size(), scheme.size())},
                               {scheme.data(), scheme.size()})) {
      continue;
    }
    const std::size_t path = target.find('/', scheme.size());
    return path == std::string_view::npos ? "/" : target.substr(path);
  }
  return target;
}

// Answers that never have a body do not say how long it is (RFC 9110, 8.6).
bool has_length(int status) { return status != 204 && status != 304; }

}  // namespace

Http1ServerSession::Http1ServerSession(Loop& loop, const Front& front, OutputSignal& output)
    : loop_(loop), front_(front), output_(output) {
  expect_request();
}

void Http1ServerSession::expect_request() {
  handler_.reset();
  state_ = State::Reading;
  body_bytes_ = 0;
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(limits::kHeaderBytesMax));
  parser_->body_limit(front_.message_max);
  parser_->eager(true);
  body_allowed_ = false;
  waiting_since_ = Clock::now();
}

bool Http1ServerSession::idle() const {
  if (!in_.empty()) return false;
  return state_ == State::Answered || (state_ == State::Reading && !parser_->got_some());
}

// A client that asks and asks and reads no answers is not asked for more.
bool Http1ServerSession::busy() const {
  return state_ == State::Answering || unsent() >= limits::kWriteBytesMax;
}

absl::Status Http1ServerSession::receive(std::string_view bytes) {
  if (state_ == State::Closing) return absl::OkStatus();
  if (idle() || parser_->is_header_done()) waiting_since_ = Clock::now();
  // While a request is being answered there is no way to say anything else.
  if (!hold(bytes.size())) {
    if (state_ != State::Reading) {
      return core::error(absl::StatusCode::kResourceExhausted, "HTTP/1.1: no room for more");
    }
    return refuse(http_no_room(), "no room for more");
  }
  in_.append(bytes);
  const absl::Status status = proceed();
  let_go();
  return status;
}

// Reading on, up to a bound, while a request is being answered is how we hear that its client left.
bool Http1ServerSession::paused() const { return busy() && in_.size() > kPipelinedBytesMax; }

absl::Status Http1ServerSession::proceed() {
  if (std::exchange(proceeding_, true)) return absl::OkStatus();
  absl::Status status;
  std::string_view rest = in_;
  for (;;) {
    if (state_ == State::Answered) expect_request();
    if (rest.empty() || state_ != State::Reading || busy()) break;
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
      if (taken != 0) continue;
      // The line before a chunk, or the lines after the last one: never as long as this.
      if (bytes.size() > limits::kHeaderBytesMax) return refuse(400, "Bad Request: long line");
      break;
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
  if (parser_->is_header_done() && !parser_->is_done()) allow_body();
  return parser_->is_done();
}

// A client with a large body may wait to hear that it is wanted (RFC 9110, 10.1.1). One whose body
// is on its way already does not.
void Http1ServerSession::allow_body() {
  const auto& request = parser_->get();
  if (std::exchange(body_allowed_, true) || request.version() < 11 || !request.body().empty()) {
    return;
  }
  if (boost::beast::iequals(request[http::field::expect], "100-continue")) {
    append_output("HTTP/1.1 100 Continue\r\n\r\n");
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
  state_ = State::Answering;
  old_client_ = request.version() < 11;
  keep_alive_ = request.keep_alive();
  head_only_ = method == "HEAD";
  if (upgrade()) return;
  body_bytes_ = request.body().size();
  auto handler = front_.http.open({.method = method,
                                   .target = origin_form(target),
                                   .headers = fields_,
                                   .body = std::move(request.body())},
                                  *this);
  if (state_ == State::Answering) handler_ = std::move(handler);
}

bool Http1ServerSession::upgrade() {
  const auto& request = parser_->get();
  if (front_.websockets == nullptr || request.method() != http::verb::get ||
      request.version() < 11 || !has_token(request, http::field::connection, "upgrade") ||
      !has_token(request, http::field::upgrade, "websocket")) {
    return false;
  }
  const std::string_view target = origin_form({request.target().data(), request.target().size()});
  const std::string_view path = target.substr(0, target.find('?'));
  if (!front_.websockets->serves(path)) return false;
  if (draining_) {
    respond({.status = 503, .body = R"({"detail":"the gateway is stopping"})"});
    return true;
  }
  const std::string key = joined(request, http::field::sec_websocket_key);
  const std::string version = joined(request, http::field::sec_websocket_version);
  const std::string sub_protocols = joined(request, http::field::sec_websocket_protocol);
  auto answer = answer_handshake({.key = key, .version = version, .sub_protocols = sub_protocols});
  if (auto* refusal = std::get_if<HttpResponse>(&answer)) {
    respond(std::move(*refusal));
    return true;
  }
  const auto& accepted = std::get<WebSocketAccepted>(answer);
  append_output(accepted.head);
  upgrade_.path = path;
  upgrade_.sub_protocol = accepted.sub_protocol;
  state_ = State::Upgraded;
  return true;
}

std::optional<WebSocketUpgrade> Http1ServerSession::take_upgrade() {
  if (state_ != State::Upgraded) return std::nullopt;
  state_ = State::Closing;
  upgrade_.output = out_.substr(out_sent_);
  out_.clear();
  out_sent_ = 0;
  upgrade_.input = std::move(in_);
  return std::move(upgrade_);
}

// ---- the answer ---------------------------------------------------------------------------------

void Http1ServerSession::append_output(std::string_view bytes) {
  out_.erase(0, std::exchange(out_sent_, 0));
  out_ += bytes;
}

void Http1ServerSession::write_head(const HttpResponse& response, Length length) {
  append_output("");  // what comes is appended
  const auto to = std::back_inserter(out_);
  const auto reason = http::obsolete_reason(static_cast<http::status>(response.status));
  fmt::format_to(to, "HTTP/1.1 {} {}\r\n", response.status,
                 std::string_view(reason.data(), reason.size()));
  if (!response.content_type.empty()) {
    fmt::format_to(to, "content-type: {}\r\n", response.content_type);
  }
  if (length == Length::Open) {
    if (chunked_) out_ += "transfer-encoding: chunked\r\n";
  } else if (has_length(response.status)) {
    fmt::format_to(to, "content-length: {}\r\n", response.body.size());
  }
  for (const auto& [name, value] : response.headers) {
    fmt::format_to(to, "{}: {}\r\n", name, value);
  }
  keep_alive_ = keep_alive_ && !draining_;
  if (!keep_alive_) {
    out_ += "connection: close\r\n";
  } else if (old_client_) {
    out_ += "connection: keep-alive\r\n";  // not what HTTP/1.0 does by itself
  }
  out_ += "\r\n";
}

void Http1ServerSession::respond(HttpResponse response) {
  if (state_ != State::Answering) return;
  write_whole(hold(response.body.size()) ? response : http_no_room());
}

void Http1ServerSession::write_whole(const HttpResponse& response) {
  write_head(response, Length::Known);
  if (!head_only_ && has_length(response.status)) append_output(response.body);
  finish_answer();
}

void Http1ServerSession::start(HttpResponse head) {
  // A client of HTTP/1.0 knows the end of such an answer by the end of the connection.
  chunked_ = !old_client_;
  if (!chunked_) keep_alive_ = false;
  write_head(head, Length::Open);
  output_.output_ready();
  send(std::move(head.body));
}

void Http1ServerSession::send(std::string piece) {
  if (piece.empty() || head_only_ || state_ != State::Answering) return;
  if (!hold(piece.size())) {
    state_ = State::Closing;  // without the end that says that this is all
  } else if (chunked_) {
    append_output(fmt::format("{:x}\r\n{}\r\n", piece.size(), piece));
  } else {
    append_output(piece);
  }
  output_.output_ready();
}

void Http1ServerSession::end() {
  if (state_ != State::Answering) return;
  if (std::exchange(chunked_, false) && !head_only_) append_output("0\r\n\r\n");
  finish_answer();
}

void Http1ServerSession::finish_answer() {
  output_.output_ready();
  state_ = keep_alive_ && !draining_ ? State::Answered : State::Closing;
}

absl::Status Http1ServerSession::refuse(int status, std::string_view detail) {
  return refuse(http_detail(status, detail), detail);
}

absl::Status Http1ServerSession::refuse(const HttpResponse& response, std::string_view why) {
  keep_alive_ = false;
  old_client_ = false;
  head_only_ = false;
  write_whole(response);
  return core::error(absl::StatusCode::kInvalidArgument, fmt::format("HTTP/1.1: {}", why));
}

// ---- the connection -----------------------------------------------------------------------------

bool Http1ServerSession::hold(std::uint64_t bytes) {
  BufferBudget& budget = loop_.budget();
  return budget.fair(bytes, held_.bytes()) && held_.grow(budget, bytes);
}

void Http1ServerSession::let_go() {
  const std::uint64_t kept = in_.size() + unsent() + body_bytes_ + parser_->get().body().size();
  if (kept < held_.bytes()) held_.shrink(held_.bytes() - kept);
}

void Http1ServerSession::produce(std::string& out, std::size_t limit) {
  // A request that was sent ahead may be next; what is wrong with it was answered and closes.
  (void)proceed();
  if (state_ == State::Closing) handler_.reset();
  if (busy()) waiting_since_ = Clock::now();  // until now it was us who did not read
  const std::size_t size = std::min(unsent(), limit - std::min(limit, out.size()));
  if (size == 0) return;
  if (out.empty() && size == out_.size()) {
    out.swap(out_);
  } else {
    out.append(out_, out_sent_, size);
    out_sent_ += size;
    if (unsent() == 0) {
      out_ = std::string();
      out_sent_ = 0;
    }
  }
  let_go();
  if (state_ == State::Answering && handler_) handler_->on_sent();
}

bool Http1ServerSession::finished() const { return state_ == State::Closing && unsent() == 0; }

void Http1ServerSession::drain() {
  draining_ = true;
  // Between two requests nobody loses anything.
  if (idle()) state_ = State::Closing;
  output_.output_ready();
}

absl::Status Http1ServerSession::sweep(Clock::time_point now) {
  if (state_ != State::Reading || busy()) return absl::OkStatus();
  if (idle()) {
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
