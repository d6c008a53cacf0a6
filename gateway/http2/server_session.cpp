// SPDX-License-Identifier: Apache-2.0
#include "gateway/http2/server_session.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "core/limits.hpp"
#include "wire/grpc.hpp"

namespace flow::gateway {

namespace limits = core::limits;

namespace {

constexpr std::string_view kGrpcContentType = "application/grpc";
// Sent with the announcement of a drain; its echo says that the peer has read it.
constexpr std::array<std::uint8_t, 8> kDrainPing = {'d', 'r', 'a', 'i', 'n', 'i', 'n', 'g'};

// "application/grpc", also with a sub-type ("+proto") or a parameter, but not
// "application/grpc-web".
bool is_grpc(std::string_view content_type) {
  return content_type.starts_with(kGrpcContentType) &&
         (content_type.size() == kGrpcContentType.size() ||
          content_type[kGrpcContentType.size()] == '+' ||
          content_type[kGrpcContentType.size()] == ';');
}

// Of a stream that we reset: was it for an error of the peer?
bool is_peers_fault(std::uint32_t error_code) {
  return error_code != NGHTTP2_NO_ERROR && error_code != NGHTTP2_CANCEL &&
         error_code != NGHTTP2_REFUSED_STREAM;
}

}  // namespace

// One request and its answer.
class Http2ServerSession::Stream final : public GrpcCall {
 public:
  Stream(Http2ServerSession& session, std::int32_t id)
      : session_(session), id_(id), reader_(session.front_.message_max), progress_(Clock::now()) {}

  // ---- the request --------------------------------------------------------------------------

  void on_header(std::string_view name, std::string_view value) {
    header_bytes_ += name.size() + value.size() + 32;  // as RFC 9113 counts
    if (header_bytes_ > limits::kHeaderBytesMax) return;
    if (name == ":method") {
      method_ = value;
    } else if (name == ":path") {
      path_ = value;
    } else if (name == "content-type") {
      grpc_ = is_grpc(value);
    } else if (name == "grpc-timeout") {
      timeout_ = value;
    } else if (name == "grpc-encoding") {
      encoding_ = value;
    }
  }

  bool header_flood() const { return header_bytes_ > 4 * limits::kHeaderBytesMax; }

  void on_headers_complete() {
    if (!grpc_) return;  // answered when its body is through
    if (header_bytes_ > limits::kHeaderBytesMax) {
      return finish(core::error(absl::StatusCode::kResourceExhausted,
                                fmt::format("header of {} bytes is larger than the limit of {}",
                                            header_bytes_, limits::kHeaderBytesMax)));
    }
    if (method_ != "POST") {
      return finish(core::error(absl::StatusCode::kInternal,
                                fmt::format("gRPC is called with POST, not {}", method_)));
    }
    if (!encoding_.empty() && encoding_ != "identity") {
      return finish(core::error(
          absl::StatusCode::kUnimplemented,
          fmt::format("grpc-encoding \"{}\" is not supported; use \"identity\"", encoding_)));
    }
    if (!timeout_.empty()) {
      const auto timeout = wire::parse_timeout(timeout_);
      if (!timeout) {
        return finish(core::error(absl::StatusCode::kInternal,
                                  fmt::format("bad grpc-timeout \"{}\"", timeout_)));
      }
      deadline_ = Clock::now() + *timeout;
      deadline_alarm_.set(session_.loop_.alarms(), *deadline_, [this] {
        finish(core::error(absl::StatusCode::kDeadlineExceeded, "Deadline Exceeded"));
        handler_.reset();  // what it still does is for nobody
      });
    }
    handler_ = session_.front_.grpc.open(path_, *this);
    if (!handler_) {
      finish(core::error(absl::StatusCode::kUnimplemented, "Method not found!"));
    }
  }

  void on_data(std::string_view bytes) {
    if (finished_) return;
    progress_ = Clock::now();
    if (!grpc_) return;
    if (!hold(bytes.size())) return;
    const absl::Status status = reader_.feed(bytes, [this](std::string framed) {
      const std::size_t size = framed.size();
      if (!finished_) handler_->on_message(std::move(framed));
      // A unary method keeps its message until it is answered; a stream is done with it.
      if (handler_->streaming()) held_.shrink(size);
    });
    if (!status.ok() && !finished_) finish(status);
  }

  void on_end() {
    request_ended_ = true;
    if (finished_) return;
    if (!grpc_) return answer_http();
    if (!reader_.at_boundary()) {
      return finish(
          core::error(absl::StatusCode::kInternal, "the request ended in the middle of a message"));
    }
    handler_->on_end();
  }

  // Does the caller owe us the rest of what it began to say, or room for our answer?
  bool stalled(Clock::time_point now) const {
    if (now - progress_ <= limits::kStallTimeout) return false;
    if (out_left() > 0) return true;
    if (finished_ || request_ended_) return false;
    return !handler_ || !reader_.at_boundary() || !handler_->streaming();
  }

  void give_up() {
    if (handler_ && !finished_ && out_left() == 0) {
      return finish(core::error(absl::StatusCode::kDeadlineExceeded,
                                fmt::format("nothing was heard of this request for {} s",
                                            limits::kStallTimeout / std::chrono::seconds(1))));
    }
    nghttp2_submit_rst_stream(session_.session_.get(), NGHTTP2_FLAG_NONE, id_, NGHTTP2_CANCEL);
    session_.output_.output_ready();
  }

  // Requests are finished in a drain; what would go on for ever is told to go elsewhere.
  void drain() {
    if (handler_ && !finished_ && handler_->streaming()) {
      finish(core::error(absl::StatusCode::kUnavailable, "the gateway is stopping"));
    }
  }

  bool request_ended() const { return request_ended_; }
  std::uint64_t held() const { return held_.bytes(); }

  // ---- the answer ---------------------------------------------------------------------------

  void send(std::string framed) override {
    if (finished_) return;
    if (out_left() > static_cast<std::size_t>(limits::kStreamWindow)) {
      return finish(core::error(absl::StatusCode::kResourceExhausted,
                                "the answers to this stream are not read"));
    }
    if (!hold(framed.size())) return;
    if (out_left() == 0) {
      progress_ = Clock::now();  // from here on it is the caller's turn
      out_ = std::move(framed);
    } else {
      out_.erase(0, out_sent_);
      out_.append(framed);
    }
    out_sent_ = 0;
    if (!std::exchange(responded_, true)) {
      const std::array fields = {header(":status", "200", HeaderValue::Static),
                                 header("content-type", kGrpcContentType, HeaderValue::Static),
                                 header("grpc-accept-encoding", "identity", HeaderValue::Static)};
      submit_response(fields.data(), fields.size(), Body::Follows);
    }
    resume();
  }

  void finish(const absl::Status& status) override {
    if (std::exchange(finished_, true)) return;
    deadline_alarm_.cancel();
    status_code_ = fmt::format_int(static_cast<int>(status.code())).str();
    status_message_ = wire::encode_message(core::message(status));
    if (responded_) return resume();
    responded_ = true;
    // Nothing was sent: trailers-only.
    std::array fields = {
        header(":status", "200", HeaderValue::Static),
        header("content-type", kGrpcContentType, HeaderValue::Static),
        header("grpc-accept-encoding", "identity", HeaderValue::Static),
        status_header(),
        header("grpc-message", status_message_, HeaderValue::PerCall),
    };
    submit_response(fields.data(), status_message_.empty() ? 4 : 5, Body::None);
    session_.output_.output_ready();
  }

  std::optional<Clock::time_point> deadline() const override { return deadline_; }

  ssize_t read(std::size_t length, std::uint32_t* flags) {
    const std::size_t left = out_left();
    if (left == 0 && !finished_) {
      deferred_ = true;
      return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    const std::size_t size = std::min(left, length);
    if (size == left && finished_) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (grpc_) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        const std::array trailers = {status_header(),
                                     header("grpc-message", status_message_, HeaderValue::PerCall)};
        nghttp2_submit_trailer(session_.session_.get(), id_, trailers.data(),
                               status_message_.empty() ? 1 : 2);
      }
    }
    return static_cast<ssize_t>(size);
  }

  void take(std::string& to, std::size_t size) {
    to.append(out_, out_sent_, size);
    out_sent_ += size;
    progress_ = Clock::now();
    if (grpc_) held_.shrink(size);
  }

 private:
  enum class Body { None, Follows };

  std::size_t out_left() const { return out_.size() - out_sent_; }

  // Counts bytes of messages, of requests as of answers that a slow reader leaves here. Past the
  // budget the call fails; and when that is short, no connection gets more than it leaves to all
  // others.
  bool hold(std::uint64_t bytes) {
    BufferBudget& budget = session_.loop_.budget();
    const bool fair = budget.used() < budget.left() || session_.held() + 2 * bytes <= budget.left();
    if (fair && held_.grow(budget, bytes)) return true;
    finish(core::error(absl::StatusCode::kResourceExhausted,
                       "the gateway holds as many message bytes as it may; try again"));
    return false;
  }

  nghttp2_nv status_header() const {
    if (status_code_ == "0") return header("grpc-status", "0", HeaderValue::Static);
    return header("grpc-status", status_code_, HeaderValue::PerCall);
  }

  void submit_response(const nghttp2_nv* fields, std::size_t count, Body body) {
    nghttp2_data_provider provider = {{.ptr = this}, &Stream::read_callback};
    // Fails only if the stream is gone, in which case its close callback is on its way.
    nghttp2_submit_response(session_.session_.get(), id_, fields, count,
                            body == Body::Follows ? &provider : nullptr);
    session_.output_.output_ready();
  }

  void resume() {
    if (std::exchange(deferred_, false)) {
      nghttp2_session_resume_data(session_.session_.get(), id_);
    }
    session_.output_.output_ready();
  }

  void answer_http() {
    const HttpResponse response =
        header_bytes_ > limits::kHeaderBytesMax
            ? HttpResponse{.status = 431, .body = R"({"detail":"Request Header Fields Too Large"})"}
            : session_.front_.http.answer({.method = method_, .target = path_});
    finished_ = true;
    responded_ = true;
    const std::string status = fmt::format_int(response.status).str();
    const std::string length = fmt::format_int(response.body.size()).str();
    std::vector<nghttp2_nv> fields = {
        header(":status", status, HeaderValue::PerCall),
        header("content-type", response.content_type, HeaderValue::Static),
        header("content-length", length, HeaderValue::PerCall),
    };
    for (const auto& [name, value] : response.headers) {
      fields.push_back(header(name, value, HeaderValue::PerCall));
    }
    if (method_ != "HEAD") out_ = response.body;
    progress_ = Clock::now();
    submit_response(fields.data(), fields.size(), out_.empty() ? Body::None : Body::Follows);
  }

  static ssize_t read_callback(nghttp2_session*, std::int32_t, std::uint8_t*, std::size_t length,
                               std::uint32_t* flags, nghttp2_data_source* source, void*) {
    return static_cast<Stream*>(source->ptr)->read(length, flags);
  }

  Http2ServerSession& session_;
  const std::int32_t id_;
  std::size_t header_bytes_ = 0;
  std::string method_;
  std::string path_;
  std::string timeout_;
  std::string encoding_;
  bool grpc_ = false;
  wire::MessageReader reader_;
  Clock::time_point progress_;  // when the caller last said or took something
  bool request_ended_ = false;
  std::optional<Clock::time_point> deadline_;

  BufferBudget::Lease held_;
  std::string out_;
  std::size_t out_sent_ = 0;
  std::string status_code_;
  std::string status_message_;
  bool responded_ = false;
  bool deferred_ = false;
  bool finished_ = false;

  Alarms::Alarm deadline_alarm_;
  // Last: its destructor may still look at the members above.
  std::unique_ptr<GrpcHandler> handler_;
};

// nghttp2 calls these with the session as user data. None of them throws.
struct Http2ServerSession::Callbacks {
  static Http2ServerSession& self(void* user_data) {
    return *static_cast<Http2ServerSession*>(user_data);
  }

  static int on_begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    auto stream = std::make_unique<Stream>(self(user), frame->hd.stream_id);
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream.get());
    self(user).streams_.emplace(frame->hd.stream_id, std::move(stream));
    return 0;
  }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                       std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                       std::uint8_t, void* user) {
    // A request's trailers say nothing that we need.
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    Stream* stream = self(user).find(frame->hd.stream_id);
    if (stream == nullptr) return 0;
    stream->on_header(view(name, name_size), view(value, value_size));
    return stream->header_flood() ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : 0;
  }

  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_PING) {
      const bool drained = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 &&
                           std::ranges::equal(frame->ping.opaque_data, kDrainPing);
      if (drained) self(user).refuse_new_streams();
      return 0;
    }
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    Stream* stream = self(user).find(frame->hd.stream_id);
    if (stream == nullptr) return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      stream->on_headers_complete();
    }
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) stream->on_end();
    return 0;
  }

  static int on_data(nghttp2_session* session, std::uint8_t, std::int32_t id,
                     const std::uint8_t* data, std::size_t size, void* user) {
    if (Stream* stream = self(user).find(id)) stream->on_data(view(data, size));
    // Kept, or thrown away: either way the window opens again; what is kept is bounded by the
    // message limit and the loop's budget.
    nghttp2_session_consume(session, id, size);
    return 0;
  }

  static int on_frame_sent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_RST_STREAM && is_peers_fault(frame->rst_stream.error_code) &&
        ++self(user).faults_ == limits::kStreamFaultsMax) {
      // nghttp2 counts the streams that the peer resets, not those that it makes us reset.
      nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
    }
    const bool last = (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
                      (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (!last) return 0;
    const Stream* stream = self(user).find(frame->hd.stream_id);
    if (stream != nullptr && !stream->request_ended()) {
      // Answered before it was all said: the rest need not be sent (RFC 9113, 8.1).
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
    }
    return 0;
  }

  static int on_stream_close(nghttp2_session*, std::int32_t id, std::uint32_t, void* user) {
    self(user).streams_.erase(id);
    return 0;
  }

  static int send_data(nghttp2_session*, nghttp2_frame* frame, const std::uint8_t* frame_header,
                       std::size_t length, nghttp2_data_source* source, void* user) {
    std::string& out = *self(user).produced_;
    if (out.size() >= self(user).produce_limit_) return NGHTTP2_ERR_WOULDBLOCK;
    (void)frame;  // never padded: we set no padding callback
    out.append(reinterpret_cast<const char*>(frame_header), 9);
    static_cast<Stream*>(source->ptr)->take(out, length);
    return 0;
  }

  static ssize_t read_length(nghttp2_session*, std::uint8_t, std::int32_t,
                             std::int32_t session_window, std::int32_t stream_window,
                             std::uint32_t frame_max, void*) {
    return std::min({static_cast<ssize_t>(session_window), static_cast<ssize_t>(stream_window),
                     static_cast<ssize_t>(frame_max),
                     static_cast<ssize_t>(limits::kWriteBytesMax)});
  }
};

Http2ServerSession::Http2ServerSession(Loop& loop, const Front& front, OutputSignal& output)
    : loop_(loop), front_(front), output_(output) {
  const Nghttp2Callbacks callbacks = make_nghttp2_callbacks();
  nghttp2_session_callbacks* c = callbacks.get();
  nghttp2_session_callbacks_set_on_begin_headers_callback(c, &Callbacks::on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(c, &Callbacks::on_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(c, &Callbacks::on_frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, &Callbacks::on_data);
  nghttp2_session_callbacks_set_on_frame_send_callback(c, &Callbacks::on_frame_sent);
  nghttp2_session_callbacks_set_on_stream_close_callback(c, &Callbacks::on_stream_close);
  nghttp2_session_callbacks_set_send_data_callback(c, &Callbacks::send_data);
  nghttp2_session_callbacks_set_data_source_read_length_callback(c, &Callbacks::read_length);
  const Nghttp2Option option = make_nghttp2_option();
  nghttp2_option_set_no_auto_window_update(option.get(), 1);
  // Priorities are deprecated and closed streams are kept only for them.
  nghttp2_option_set_no_closed_streams(option.get(), 1);

  nghttp2_session* session = nullptr;
  if (nghttp2_session_server_new2(&session, c, this, option.get()) != 0) std::abort();
  session_.reset(session);
  const std::array<nghttp2_settings_entry, 4> settings = {{
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits::kStreamsPerConnectionMax},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(limits::kStreamWindow)},
      {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, static_cast<std::uint32_t>(limits::kReadBytes)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits::kHeaderBytesMax)},
  }};
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, limits::kConnectionWindow);
}

Http2ServerSession::~Http2ServerSession() = default;

Http2ServerSession::Stream* Http2ServerSession::find(std::int32_t id) const {
  return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session_.get(), id));
}

absl::Status Http2ServerSession::receive(std::string_view bytes) {
  const ssize_t taken = nghttp2_session_mem_recv(
      session_.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (taken < 0) return nghttp2_error(taken, "HTTP/2");
  if (nghttp2_session_get_outbound_queue_size(session_.get()) > limits::kQueuedFramesMax) {
    return core::error(absl::StatusCode::kResourceExhausted,
                       "HTTP/2: the peer asks for answers and does not read them");
  }
  return absl::OkStatus();
}

void Http2ServerSession::produce(std::string& out, std::size_t limit) {
  produced_ = &out;
  produce_limit_ = limit;
  produce_frames(session_.get(), out, limit);
  produced_ = nullptr;
}

bool Http2ServerSession::finished() const {
  return nghttp2_session_want_read(session_.get()) == 0 &&
         nghttp2_session_want_write(session_.get()) == 0;
}

void Http2ServerSession::drain() {
  if (drain_ != Drain::No) return;
  drain_ = Drain::Announced;
  nghttp2_submit_shutdown_notice(session_.get());
  nghttp2_submit_ping(session_.get(), NGHTTP2_FLAG_NONE, kDrainPing.data());
  output_.output_ready();
}

void Http2ServerSession::refuse_new_streams() {
  if (drain_ != Drain::Announced) return;
  drain_ = Drain::Refusing;
  nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_.get()), NGHTTP2_NO_ERROR,
                        nullptr, 0);
  for (const auto& [id, stream] : streams_) stream->drain();
  output_.output_ready();
}

std::uint64_t Http2ServerSession::held() const {
  std::uint64_t bytes = 0;
  for (const auto& [id, stream] : streams_) bytes += stream->held();
  return bytes;
}

absl::Status Http2ServerSession::sweep(Clock::time_point now) {
  // A peer that does not answer pings does not hold up a drain.
  if (drain_ == Drain::Announced) refuse_new_streams();
  faults_ = 0;
  for (const auto& [id, stream] : streams_) {
    if (stream->stalled(now)) stream->give_up();
  }
  return absl::OkStatus();
}

void Http2ServerSession::disconnected(const absl::Status&) { streams_.clear(); }

}  // namespace flow::gateway
