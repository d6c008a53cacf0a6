// SPDX-License-Identifier: Apache-2.0
#include "gateway/http2/grpc_stream.hpp"

#include <array>
#include <utility>

#include "core/limits.hpp"

namespace flow::gateway {

namespace limits = core::limits;

namespace {

constexpr std::string_view kContentType = "application/grpc";
constexpr std::string_view kAcceptEncoding = "identity, deflate, gzip";

}  // namespace

GrpcStream::GrpcStream(Http2Connection& connection, std::int32_t id, RequestHeader header)
    : ServerStream(connection, id),
      header_(std::move(header)),
      reader_(connection.front.message_max) {}

// ---- the request --------------------------------------------------------------------------------

absl::Status GrpcStream::check() {
  if (header_.too_large()) {
    return core::error(absl::StatusCode::kResourceExhausted,
                       fmt::format("header of {} bytes is larger than the limit of {}",
                                   header_.bytes, limits::kHeaderBytesMax));
  }
  if (header_.method != "POST") {
    return core::error(absl::StatusCode::kInternal,
                       fmt::format("gRPC is called with POST, not {}", header_.method));
  }
  const std::string_view name = header_.fields.get("grpc-encoding");
  if (name.empty()) return absl::OkStatus();
  const auto encoding = wire::parse_encoding(name);
  if (!encoding) {
    return core::error(absl::StatusCode::kUnimplemented,
                       fmt::format("grpc-encoding \"{}\" is not supported; use one of \"{}\"", name,
                                   kAcceptEncoding));
  }
  encoding_ = *encoding;
  if (encoding_ == wire::Encoding::Identity) return absl::OkStatus();
  reader_.take_compressed();
  // Who spares its own bytes is glad of ours; nobody else pays for it.
  if (wire::accepts(header_.fields.get("grpc-accept-encoding"), encoding_)) {
    answer_encoding_ = encoding_;
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
    heard();
    if (!count(bytes.size())) return consume(bytes.size());
    if (unread_.empty()) deliver(bytes);
  }
  if (finished_) {
    consume(bytes.size());
  } else {
    unread_.append(bytes);
  }
}

bool GrpcStream::takes_input() {
  return !inflater_ && out_left() <= static_cast<std::size_t>(limits::kStreamWindow) &&
         handler_->wants_message();
}

void GrpcStream::deliver(std::string_view& bytes) {
  delivering_ = true;
  const std::size_t before = bytes.size();
  while (!bytes.empty() && !finished_ && takes_input()) {
    absl::StatusOr<std::optional<std::string>> message = reader_.next(bytes);
    if (!message.ok()) {
      finish(message.status());
    } else if (*message) {
      take_message(*std::move(*message));
    }
  }
  consume(before - bytes.size());
  delivering_ = false;
}

void GrpcStream::deliver_unread() {
  if (delivering_ || finished_) return;
  if (!unread_.empty()) {
    // Out of the way while it is looked at: finish() gives away what is unread.
    wire::Backlog unread = std::exchange(unread_, {});
    std::string_view bytes = unread.view();
    deliver(bytes);
    if (finished_) return consume(bytes.size());
    unread.keep_last(bytes.size());
    unread_ = std::move(unread);
  }
  if (request_ended()) on_end();
}

void GrpcStream::take_message(std::string framed) {
  if (!wire::is_compressed(framed)) return hand_over(std::move(framed));
  inflater_ = std::make_unique<wire::Inflater>(encoding_, std::move(framed),
                                               connection().front.message_max);
  if (count(inflater_->size())) inflate();
}

void GrpcStream::inflate() {
  const std::size_t before = inflater_->size();
  const absl::StatusOr<bool> complete = inflater_->step(limits::kInflateSlice);
  if (!complete.ok()) return finish(complete.status());
  if (!count(inflater_->size() - before)) return;
  if (!*complete) {
    return inflate_alarm_.set(connection().loop.alarms(), Clock::now(), [this] {
      delivering_ = true;
      inflate();
      delivering_ = false;
      deliver_unread();
    });
  }
  const std::unique_ptr<wire::Inflater> inflater = std::move(inflater_);
  let_go(inflater->compressed_size());
  hand_over(inflater->take());
}

void GrpcStream::hand_over(std::string framed) {
  // A unary method keeps its message until it is answered; a stream accounts for its own.
  if (handler_->streaming()) let_go(framed.size());
  handler_->on_message(std::move(framed));
}

void GrpcStream::input_wanted() { deliver_unread(); }

void GrpcStream::on_end() {
  if (finished_ || inflater_ || !unread_.empty() || std::exchange(end_told_, true)) return;
  if (!reader_.at_boundary()) {
    return finish(
        core::error(absl::StatusCode::kInternal, "the request ended in the middle of a message"));
  }
  handler_->on_end();
}

bool GrpcStream::waits_for_peer() const {
  if (finished_ || request_ended() || inflater_ || !unread_.empty()) return false;
  return !handler_->streaming() || !reader_.at_boundary();
}

void GrpcStream::time_out() {
  if (finished_) return reset();
  finish(core::error(absl::StatusCode::kDeadlineExceeded,
                     fmt::format("nothing was heard of this request for {} s",
                                 limits::kStallTimeout / std::chrono::seconds(1))));
}

void GrpcStream::drain() {
  if (!finished_) handler_->on_drain();
}

bool GrpcStream::count(std::uint64_t bytes) {
  if (hold(bytes)) return true;
  finish(core::error(absl::StatusCode::kResourceExhausted,
                     "the gateway holds as many message bytes as it may; try again"));
  return false;
}

// ---- the answer ---------------------------------------------------------------------------------

void GrpcStream::send(std::string framed) {
  if (finished_) return;
  const bool compressing = answer_encoding_ != wire::Encoding::Identity;
  if (compressing) framed = wire::compress(std::move(framed), answer_encoding_);
  if (!count(framed.size())) return;
  if (!std::exchange(responded_, true)) {
    const std::array fields = {
        header(":status", "200", HeaderValue::Static),
        header("content-type", kContentType, HeaderValue::Static),
        header("grpc-accept-encoding", kAcceptEncoding, HeaderValue::Static),
        header("grpc-encoding", wire::name(answer_encoding_), HeaderValue::Static)};
    submit_response(fields.data(), compressing ? 4 : 3, Body::Follows);
  }
  append_output(std::move(framed));
}

void GrpcStream::on_output_taken() {
  if (finished_) return;
  handler_->on_sent();
  deliver_unread();
}

void GrpcStream::finish(const absl::Status& status) {
  if (std::exchange(finished_, true)) return;
  deadline_alarm_.cancel();
  inflate_alarm_.cancel();
  inflater_.reset();
  consume(std::exchange(unread_, {}).size());
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
