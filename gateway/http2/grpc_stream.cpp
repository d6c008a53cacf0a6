// SPDX-License-Identifier: Apache-2.0
#include "gateway/http2/grpc_stream.hpp"

#include <array>
#include <utility>

#include "core/limits.hpp"

namespace flow::gateway {

namespace limits = core::limits;

namespace {

constexpr std::string_view kContentType = "application/grpc";
constexpr std::string_view kAcceptEncoding = "identity";

}  // namespace

GrpcStream::GrpcStream(Http2Connection& connection, std::int32_t id, RequestHeader header)
    : ServerStream(connection, id),
      header_(std::move(header)),
      reader_(connection.front.message_max) {}

// ---- the request --------------------------------------------------------------------------------

absl::Status GrpcStream::check() const {
  if (header_.too_large()) {
    return core::error(absl::StatusCode::kResourceExhausted,
                       fmt::format("header of {} bytes is larger than the limit of {}",
                                   header_.bytes, limits::kHeaderBytesMax));
  }
  if (header_.method != "POST") {
    return core::error(absl::StatusCode::kInternal,
                       fmt::format("gRPC is called with POST, not {}", header_.method));
  }
  const std::string_view encoding = header_.fields.get("grpc-encoding");
  if (!encoding.empty() && encoding != "identity") {
    return core::error(
        absl::StatusCode::kUnimplemented,
        fmt::format("grpc-encoding \"{}\" is not supported; use \"identity\"", encoding));
  }
  return absl::OkStatus();
}

void GrpcStream::open() {
  if (const absl::Status status = check(); !status.ok()) return finish(status);
  if (const std::string_view text = header_.fields.get("grpc-timeout"); !text.empty()) {
    const auto timeout = wire::parse_timeout(text);
    if (!timeout) {
      return finish(
          core::error(absl::StatusCode::kInternal, fmt::format("bad grpc-timeout \"{}\"", text)));
    }
    deadline_ = Clock::now() + *timeout;
    deadline_alarm_.set(connection().loop.alarms(), *deadline_, [this] {
      finish(core::error(absl::StatusCode::kDeadlineExceeded, "Deadline Exceeded"));
      handler_.reset();  // what it still does is for nobody
    });
  }
  handler_ = connection().front.grpc.open(header_.path, *this);
  if (!handler_) finish(core::error(absl::StatusCode::kUnimplemented, "Method not found!"));
}

void GrpcStream::on_data(std::string_view bytes) {
  if (!finished_) {
    made_progress();
    if (!count(bytes.size())) return consume(bytes.size());
    if (unread_.empty()) deliver(bytes);
  }
  if (finished_) {
    consume(bytes.size());
  } else {
    unread_.append(bytes);
  }
}

bool GrpcStream::takes_input() const {
  return out_left() <= static_cast<std::size_t>(limits::kStreamWindow) && handler_->wants_message();
}

void GrpcStream::deliver(std::string_view& bytes) {
  delivering_ = true;
  const std::size_t before = bytes.size();
  while (!bytes.empty() && !finished_ && takes_input()) {
    absl::StatusOr<std::optional<std::string>> message = reader_.next(bytes);
    if (!message.ok()) {
      finish(message.status());
    } else if (*message) {
      const std::size_t size = (*message)->size();
      handler_->on_message(*std::move(*message));
      // A unary method keeps its message until it is answered; a stream accounts for its own.
      if (handler_->streaming()) let_go(size);
    }
  }
  consume(before - bytes.size());
  delivering_ = false;
}

void GrpcStream::deliver_unread() {
  if (delivering_ || finished_ || !handler_) return;
  if (!unread_.empty()) {
    std::string_view bytes = unread_;
    deliver(bytes);
    unread_.erase(0, unread_.size() - bytes.size());
  }
  if (request_ended() && unread_.empty() && !finished_) on_end();
}

void GrpcStream::input_wanted() { deliver_unread(); }

void GrpcStream::on_end() {
  if (finished_ || !unread_.empty() || std::exchange(end_told_, true)) return;
  if (!reader_.at_boundary()) {
    return finish(
        core::error(absl::StatusCode::kInternal, "the request ended in the middle of a message"));
  }
  handler_->on_end();
}

bool GrpcStream::waits_for_peer() const {
  if (finished_ || request_ended() || !unread_.empty()) return false;
  return !handler_->streaming() || !reader_.at_boundary();
}

void GrpcStream::time_out() {
  if (finished_) return reset();
  finish(core::error(absl::StatusCode::kDeadlineExceeded,
                     fmt::format("nothing was heard of this request for {} s",
                                 limits::kStallTimeout / std::chrono::seconds(1))));
}

void GrpcStream::drain() {
  if (!finished_ && handler_->streaming()) {
    finish(core::error(absl::StatusCode::kUnavailable, "the gateway is stopping"));
  }
}

bool GrpcStream::count(std::uint64_t bytes) {
  if (hold(bytes)) return true;
  finish(core::error(absl::StatusCode::kResourceExhausted,
                     "the gateway holds as many message bytes as it may; try again"));
  return false;
}

// ---- the answer ---------------------------------------------------------------------------------

void GrpcStream::send(std::string framed) {
  if (finished_ || !count(framed.size())) return;
  if (!std::exchange(responded_, true)) {
    const std::array fields = {
        header(":status", "200", HeaderValue::Static),
        header("content-type", kContentType, HeaderValue::Static),
        header("grpc-accept-encoding", kAcceptEncoding, HeaderValue::Static)};
    submit_response(fields.data(), fields.size(), Body::Follows);
  }
  append_output(std::move(framed));
}

void GrpcStream::on_output_taken() {
  if (finished_ || !handler_) return;
  handler_->on_sent();
  deliver_unread();
}

void GrpcStream::finish(const absl::Status& status) {
  if (std::exchange(finished_, true)) return;
  deadline_alarm_.cancel();
  consume(std::exchange(unread_, std::string()).size());
  status_code_ = fmt::format_int(static_cast<int>(status.code())).str();
  status_message_ = wire::encode_message(core::message(status));
  if (responded_) return end_output();
  responded_ = true;
  // Nothing was sent: trailers-only.
  std::array fields = {
      header(":status", "200", HeaderValue::Static),
      header("content-type", kContentType, HeaderValue::Static),
      header("grpc-accept-encoding", kAcceptEncoding, HeaderValue::Static),
      status_header(),
      header("grpc-message", status_message_, HeaderValue::PerCall),
  };
  submit_response(fields.data(), status_message_.empty() ? 4 : 5, Body::None);
}

void GrpcStream::submit_trailers(std::uint32_t* flags) {
  *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
  const std::array trailers = {status_header(),
                               header("grpc-message", status_message_, HeaderValue::PerCall)};
  nghttp2_submit_trailer(connection().session, id(), trailers.data(),
                         status_message_.empty() ? 1 : 2);
}

nghttp2_nv GrpcStream::status_header() const {
  if (status_code_ == "0") return header("grpc-status", "0", HeaderValue::Static);
  return header("grpc-status", status_code_, HeaderValue::PerCall);
}

}  // namespace flow::gateway
