// SPDX-License-Identifier: Apache-2.0
#include "gateway/http2/client_session.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "core/limits.hpp"

namespace flow::gateway {

namespace limits = core::limits;

namespace {

constexpr std::array<std::uint8_t, 8> kHeartbeat = {'h', 'e', 'a', 'r', 't', 'b', 'e', 'a'};

}  // namespace

ClientCall::~ClientCall() { cancel(); }

void ClientCall::cancel() {
  if (gone_ != nullptr) *std::exchange(gone_, nullptr) = true;
  unread_ = {};
  ended_.reset();
  if (Http2ClientSession* session = std::exchange(session_, nullptr)) {
    session->cancel(stream_);
  }
}

bool ClientCall::deliver(std::string_view& bytes) {
  bool gone = false;
  gone_ = &gone;
  const std::size_t before = bytes.size();
  while (!bytes.empty() && !error_ && wants_reply()) {
    absl::StatusOr<std::optional<std::string>> reply = reader_->next(bytes);
    if (!reply.ok()) {
      error_ = reply.status();
      if (session_ != nullptr) session_->reset(stream_);
    } else if (*reply) {
      on_reply(*std::move(*reply));
      if (gone) return false;
    }
  }
  gone_ = nullptr;
  if (session_ != nullptr) session_->consume(stream_, before - bytes.size());
  return true;
}

void ClientCall::reply_wanted() {
  if (gone_ != nullptr) return;  // deliver() runs and will ask
  if (!unread_.empty()) {
    wire::Backlog unread = std::exchange(unread_, {});
    std::string_view bytes = unread.view();
    if (!deliver(bytes)) return;
    unread.keep_last(bytes.size());
    unread_ = std::move(unread);
  }
  if (ended_ && (unread_.empty() || error_)) complete(error_ ? *error_ : *ended_);
}

// The status that a closed stream amounts to, and whether the request ran.
absl::Status ClientCall::final_status(std::uint32_t error_code) {
  int code = 0;
  const auto [end, error] =
      std::from_chars(grpc_status_.data(), grpc_status_.data() + grpc_status_.size(), code);
  if (error == std::errc() && end == grpc_status_.data() + grpc_status_.size() &&
      !grpc_status_.empty()) {
    if (code < 0 || code > 16) code = 2;
    never_ran_ = not_started_ && code != 0;
    return core::error(static_cast<absl::StatusCode>(code), wire::decode_message(grpc_message_));
  }
  if (error_code == NGHTTP2_REFUSED_STREAM) {
    never_ran_ = true;  // RFC 9113, 8.7; a GOAWAY says it of what is beyond its last stream
    return core::error(absl::StatusCode::kUnavailable, "the executor takes no more requests");
  }
  if (!http_status_.empty() && http_status_ != "200") {
    return core::error(absl::StatusCode::kUnknown,
                       fmt::format("answered with HTTP status {} instead of gRPC", http_status_));
  }
  if (!handed_over_) {
    never_ran_ = true;
    return core::error(absl::StatusCode::kUnavailable,
                       "the executor ended the call before it had the request");
  }
  return core::error(
      absl::StatusCode::kInternal,
      fmt::format("stream closed without a gRPC status ({})", nghttp2_http2_strerror(error_code)));
}

std::string ClientCall::take_request() {
  out_sent_ = 0;
  return std::exchange(out_, {});
}

void ClientCall::keep_request(bool keep) {
  keeps_request_ = keep;
  if (!keep && (handed_over_ || session_ == nullptr)) out_ = {};
}

void ClientCall::complete(const absl::Status& status) {
  const absl::Status copy = status;  // it may be a member
  session_ = nullptr;
  unread_ = {};
  ended_.reset();
  on_done(copy);
}

struct Http2ClientSession::Callbacks {
  static Http2ClientSession& self(void* user_data) {
    return *static_cast<Http2ClientSession*>(user_data);
  }
  static ClientCall* find(nghttp2_session* session, std::int32_t id) {
    return static_cast<ClientCall*>(nghttp2_session_get_stream_user_data(session, id));
  }

  static int on_header(nghttp2_session* session, const nghttp2_frame* frame,
                       const std::uint8_t* name_data, std::size_t name_size,
                       const std::uint8_t* value_data, std::size_t value_size, std::uint8_t,
                       void*) {
    ClientCall* call = find(session, frame->hd.stream_id);
    if (call == nullptr) return 0;
    const std::string_view name = view(name_data, name_size);
    const std::string_view value = view(value_data, value_size);
    if (name == ":status") {
      call->http_status_ = value;
    } else if (name == "grpc-status") {
      call->grpc_status_ = value;
    } else if (name == "flow-not-started") {
      call->not_started_ = true;
    } else if (name == "grpc-message") {
      call->grpc_message_ = value.substr(0, limits::kHeaderBytesMax);
    }
    return 0;
  }

  static int on_data(nghttp2_session* session, std::uint8_t, std::int32_t id,
                     const std::uint8_t* data, std::size_t size, void*) {
    // What one call does not take holds up no other.
    nghttp2_session_consume_connection(session, size);
    ClientCall* call = find(session, id);
    if (call == nullptr || call->error_) {
      nghttp2_session_consume_stream(session, id, size);
      return 0;
    }
    std::string_view bytes = view(data, size);
    if (call->unread_.empty() && !call->deliver(bytes)) return 0;
    call->unread_.append(bytes);
    return 0;
  }

  static int on_stream_close(nghttp2_session* session, std::int32_t id, std::uint32_t error_code,
                             void* user) {
    ClientCall* call = find(session, id);
    if (call == nullptr) return 0;
    nghttp2_session_set_stream_user_data(session, id, nullptr);
    self(user).calls_.erase(id);
    const absl::Status status = call->error_ ? *call->error_ : call->final_status(error_code);
    if (call->unread_.empty() || call->error_) {
      call->complete(status);
    } else {
      call->session_ = nullptr;
      call->ended_ = status;
    }
    return 0;
  }

  // A frame of a call that was cancelled may still stand in nghttp2's queue: so both of these look
  // the call up by its stream and never through the data source.
  static ssize_t read(nghttp2_session* session, std::int32_t id, std::uint8_t*, std::size_t length,
                      std::uint32_t* flags, nghttp2_data_source*, void*) {
    const ClientCall* call = find(session, id);
    if (call == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    const std::size_t left = call->out_.size() - call->out_sent_;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (left <= length) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(std::min(left, length));
  }

  static int send_data(nghttp2_session* session, nghttp2_frame* frame,
                       const std::uint8_t* frame_header, std::size_t length, nghttp2_data_source*,
                       void* user) {
    ClientCall* call = find(session, frame->hd.stream_id);
    if (call == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    std::string& out = *self(user).produced_;
    if (out.size() >= self(user).produce_limit_) return NGHTTP2_ERR_WOULDBLOCK;
    out.append(reinterpret_cast<const char*>(frame_header), 9);
    out.append(call->out_, call->out_sent_, length);
    call->out_sent_ += length;
    if (call->out_sent_ == call->out_.size()) {
      call->handed_over_ = true;
      if (!call->keeps_request_) call->out_ = {};
    }
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

Http2ClientSession::Http2ClientSession(OutputSignal& output, std::string authority,
                                       std::uint64_t message_max, std::function<void()> on_heard)
    : output_(output),
      authority_(std::move(authority)),
      message_max_(message_max),
      on_heard_(std::move(on_heard)) {
  const Nghttp2Callbacks callbacks = make_nghttp2_callbacks();
  nghttp2_session_callbacks* c = callbacks.get();
  nghttp2_session_callbacks_set_on_header_callback(c, &Callbacks::on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, &Callbacks::on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(c, &Callbacks::on_stream_close);
  nghttp2_session_callbacks_set_send_data_callback(c, &Callbacks::send_data);
  nghttp2_session_callbacks_set_data_source_read_length_callback(c, &Callbacks::read_length);
  const Nghttp2Option option = make_nghttp2_option();
  nghttp2_option_set_no_auto_window_update(option.get(), 1);
  nghttp2_option_set_no_closed_streams(option.get(), 1);
  // Until the executor's own number is known; it queues what is more than that by itself.
  nghttp2_option_set_peer_max_concurrent_streams(option.get(), limits::kStreamsPerConnectionMax);

  nghttp2_session* session = nullptr;
  if (nghttp2_session_client_new2(&session, c, this, option.get()) != 0) std::abort();
  session_.reset(session);
  const std::array<nghttp2_settings_entry, 3> settings = {{
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(limits::kStreamWindow)},
      {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, static_cast<std::uint32_t>(limits::kReadBytes)},
  }};
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, limits::kConnectionWindow);
}

Http2ClientSession::~Http2ClientSession() {
  disconnected(core::error(absl::StatusCode::kUnavailable, "connection closed"));
}

void Http2ClientSession::call(ClientCall& call, std::string_view path, std::string framed,
                              std::optional<std::chrono::nanoseconds> timeout) {
  call.out_ = std::move(framed);
  call.out_sent_ = 0;
  call.handed_over_ = false;
  call.never_ran_ = false;
  call.connection_lost_ = false;
  call.not_started_ = false;
  call.error_.reset();
  call.ended_.reset();
  call.unread_ = {};
  call.http_status_.clear();
  call.grpc_status_.clear();
  call.grpc_message_.clear();
  call.reader_.emplace(message_max_);
  if (!takes_calls()) return refuse(call, "the connection takes no more requests");
  const std::string timeout_text = timeout ? wire::format_timeout(*timeout) : "";
  const std::array fields = {
      header(":method", "POST", HeaderValue::Static),
      header(":scheme", "http", HeaderValue::Static),
      header(":path", path, HeaderValue::Static),
      header(":authority", authority_, HeaderValue::Static),
      header("content-type", "application/grpc", HeaderValue::Static),
      header("te", "trailers", HeaderValue::Static),
      header("grpc-timeout", timeout_text, HeaderValue::PerCall),
  };
  nghttp2_data_provider provider = {{.ptr = nullptr}, &Callbacks::read};
  const std::int32_t stream =
      nghttp2_submit_request(session_.get(), nullptr, fields.data(),
                             timeout ? fields.size() : fields.size() - 1, &provider, &call);
  if (stream < 0) return refuse(call, nghttp2_strerror(stream));
  call.session_ = this;
  call.stream_ = stream;
  calls_.emplace_hint(calls_.end(), stream, &call);
  output_.output_ready();
}

void Http2ClientSession::refuse(ClientCall& call, std::string_view why) {
  call.never_ran_ = true;
  call.complete(core::error(absl::StatusCode::kUnavailable, why));
}

void Http2ClientSession::cancel(std::int32_t stream) {
  calls_.erase(stream);
  nghttp2_session_set_stream_user_data(session_.get(), stream, nullptr);
  reset(stream);
}

void Http2ClientSession::reset(std::int32_t stream) {
  nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
  output_.output_ready();
}

void Http2ClientSession::consume(std::int32_t stream, std::size_t bytes) {
  if (bytes == 0) return;
  nghttp2_session_consume_stream(session_.get(), stream, bytes);
  output_.output_ready();
}

void Http2ClientSession::ping() {
  nghttp2_submit_ping(session_.get(), NGHTTP2_FLAG_NONE, kHeartbeat.data());
  output_.output_ready();
}

bool Http2ClientSession::takes_calls() const {
  return !disconnected_ && nghttp2_session_check_request_allowed(session_.get()) != 0;
}

absl::Status Http2ClientSession::receive(std::string_view bytes) {
  const ssize_t taken = nghttp2_session_mem_recv(
      session_.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (taken < 0) return nghttp2_error(taken, "HTTP/2");
  on_heard_();
  return absl::OkStatus();
}

void Http2ClientSession::produce(std::string& out, std::size_t limit) {
  produced_ = &out;
  produce_limit_ = limit;
  produce_frames(session_.get(), out, limit);
  produced_ = nullptr;
}

bool Http2ClientSession::finished() const {
  return nghttp2_session_want_read(session_.get()) == 0 &&
         nghttp2_session_want_write(session_.get()) == 0;
}

void Http2ClientSession::drain() {
  nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, nullptr, 0);
  output_.output_ready();
}

absl::Status Http2ClientSession::sweep(Clock::time_point) { return absl::OkStatus(); }

void Http2ClientSession::disconnected(const absl::Status& why) {
  disconnected_ = true;
  // Whatever broke the connection: to a call it is that the executor cannot be reached.
  const absl::Status lost = core::error(absl::StatusCode::kUnavailable, core::message(why));
  // One at a time, because a call that ends may end or destroy others; who came first is told, and
  // tried again, first.
  while (!calls_.empty()) {
    ClientCall* call = calls_.begin()->second;
    calls_.erase(calls_.begin());
    nghttp2_session_set_stream_user_data(session_.get(), call->stream_, nullptr);
    call->connection_lost_ = true;
    call->never_ran_ = !call->handed_over_;
    call->complete(lost);
  }
}

}  // namespace flow::gateway
